# SPDX-License-Identifier: MIT
# Installs what plugins outside of this tree need: the header, find_package(emu), pkg-config.
include(CMakePackageConfigHelpers)

set(sdk_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/emu)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/emu-config.cmake.in
    ${CMAKE_BINARY_DIR}/sdk/emu-config.cmake INSTALL_DESTINATION ${sdk_cmake_dir}
    PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBEXECDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/sdk/emu-config-version.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMajorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/emu.pc.in ${CMAKE_BINARY_DIR}/sdk/emu.pc @ONLY)

install(FILES ${CMAKE_SOURCE_DIR}/src/plugin/plugin_api.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/emu RENAME plugin.h COMPONENT sdk)
install(FILES ${CMAKE_BINARY_DIR}/sdk/emu-config.cmake
    ${CMAKE_BINARY_DIR}/sdk/emu-config-version.cmake DESTINATION ${sdk_cmake_dir} COMPONENT sdk)
install(FILES ${CMAKE_BINARY_DIR}/sdk/emu.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    COMPONENT sdk)
