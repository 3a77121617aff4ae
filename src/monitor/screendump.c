// SPDX-License-Identifier: MIT
// The screen as a picture file: PPM, or PNG when emu was built with libpng.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "devices/vga.h"
#include "monitor/command.h"

#ifdef EMU_HAVE_PNG
#include <png.h>
#endif

static bool write_ppm(FILE *file, const struct vga_image *image)
{
    size_t size = (size_t)image->width * image->height * 3;
    return fprintf(file, "P6\n%u %u\n255\n", image->width, image->height) > 0 &&
           fwrite(image->rgb, 1, size, file) == size;
}

static bool write_png(FILE *file, const struct vga_image *image)
{
#ifdef EMU_HAVE_PNG
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = image->width,
                     .height = image->height,
                     .format = PNG_FORMAT_RGB};
    return png_image_write_to_stdio(&png, file, 0, image->rgb, 0, NULL) != 0;
#else
    return false;
#endif
}

static bool choose_format(const struct arguments *args, bool *png, struct error *err)
{
    const char *path = args->item[0].text, *format = args->flag_text;
    size_t length = strlen(path);
    *png = length > 4 && strcmp(path + length - 4, ".png") == 0;
    if (format) {
        *png = strcmp(format, "png") == 0;
        if (!*png && strcmp(format, "ppm") != 0)
            return error_set(err, "unknown format '%.32s' (ppm or png)", format);
    }
#ifndef EMU_HAVE_PNG
    if (*png)
        return error_set(err, "emu was built without libpng; say -f ppm");
#endif
    return true;
}

bool command_screendump(struct monitor *mon, const struct arguments *args, struct error *err)
{
    const char *path = args->item[0].text;
    bool png;
    if (!choose_format(args, &png, err))
        return false;
    FILE *file = file_open_write(path);
    if (!file)
        return error_set(err, "%s: %s", path, strerror(errno));
    struct vga_image image = {0};
    vga_render(pc_vga(machine_pc(mon->machine)), &image);
    bool ok = png ? write_png(file, &image) : write_ppm(file, &image);
    free(image.rgb);
    ok &= fclose(file) == 0;
    if (!ok) {
        unlink(path);
        return error_set(err, "%s: cannot be written: %s", path, strerror(errno));
    }
    return true;
}
