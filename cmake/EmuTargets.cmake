# SPDX-License-Identifier: MIT
# The targets of the house: one static library a folder of src/, the executable, and the plugins.

set(EMU_WARNINGS -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef
    -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough -Wno-unused-parameter -Werror)

add_library(emu_flags INTERFACE)
target_compile_options(emu_flags INTERFACE ${EMU_WARNINGS} -fno-strict-aliasing)
target_compile_definitions(emu_flags INTERFACE _GNU_SOURCE=)
if(EMU_SANITIZE)
  target_compile_options(emu_flags INTERFACE -fsanitize=address,undefined
      -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1)
  target_link_options(emu_flags INTERFACE -fsanitize=address,undefined)
endif()
if(EMU_COVERAGE)
  target_compile_options(emu_flags INTERFACE --coverage -O0)
  target_link_options(emu_flags INTERFACE --coverage)
endif()

# emu_library(NAME [FOLDER f] [SOURCES ...] [EXCLUDE ...] [LINKS ...]): library emu_NAME from src/FOLDER/*.c.
function(emu_library name)
  cmake_parse_arguments(L "" "FOLDER" "SOURCES;EXCLUDE;LINKS" ${ARGN})
  if(NOT L_FOLDER)
    set(L_FOLDER ${name})
  endif()
  set(dir ${CMAKE_SOURCE_DIR}/src/${L_FOLDER})
  if(L_SOURCES)
    list(TRANSFORM L_SOURCES PREPEND ${dir}/)
  else()
    file(GLOB L_SOURCES CONFIGURE_DEPENDS ${dir}/*.c)
    foreach(file ${L_EXCLUDE})
      list(REMOVE_ITEM L_SOURCES ${dir}/${file})
    endforeach()
  endif()
  add_library(emu_${name} STATIC ${L_SOURCES})
  target_include_directories(emu_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(emu_${name} PUBLIC ${L_LINKS} PRIVATE emu_flags)
  if(EMU_FUZZ)
    target_compile_options(emu_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# The executable ends as BUILD/emu and exports the SDK's functions to plugins.
function(emu_executable)
  add_executable(emu ${CMAKE_SOURCE_DIR}/src/main/main.c)
  target_link_libraries(emu PRIVATE emu_flags emu_options
      -Wl,--whole-archive emu_plugin_host emu_signal -Wl,--no-whole-archive)
  set_target_properties(emu PROPERTIES ENABLE_EXPORTS ON
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  install(TARGETS emu RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# emu_plugin(NAME sources...): BUILD/plugins/plugin-NAME-i386.plugin; it sees the SDK header only.
function(emu_plugin name)
  add_library(plugin_${name} MODULE ${ARGN})
  target_include_directories(plugin_${name} PRIVATE ${CMAKE_BINARY_DIR}/sdk)
  target_link_libraries(plugin_${name} PRIVATE emu_flags)
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME plugin-${name}-i386
      SUFFIX ".plugin" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  add_dependencies(emu plugin_${name})
  install(TARGETS plugin_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/emu/plugins)
endfunction()
