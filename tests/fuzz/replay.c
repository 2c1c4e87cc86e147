/*
 * replay - a main for fuzz targets without libFuzzer: feeds each file that is
 * named as an argument to the target once. Exit: 0 all were taken; 1 a file
 * cannot be read; a sanitizer ends it otherwise.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;
	int ok = -1;

	if (!file || fseek(file, 0, SEEK_END) == -1 ||
	    (size = ftell(file)) == -1 || fseek(file, 0, SEEK_SET) == -1) {
		if (file)
			fclose(file);
		return -1;
	}
	/* A block of exactly the size, so that ASan sees a read past it. */
	data = malloc(size ? (size_t)size : 1);
	if (data && fread(data, 1, (size_t)size, file) == (size_t)size) {
		LLVMFuzzerTestOneInput(data, (size_t)size);
		ok = 0;
	}
	free(data);
	fclose(file);
	return ok;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) == -1) {
			perror(argv[i]);
			return 1;
		}
	printf("%d inputs\n", argc - 1);
	return 0;
}
