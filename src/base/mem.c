#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/die.h"

void *
mem_try_alloc(size_t count, size_t size)
{
	/* calloc checks the product; 0 bytes may yield NULL, so ask for 1 */
	return calloc(count ? count : 1, size ? size : 1);
}

void *
mem_try_resize(void *old, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	if (count == 0 || size == 0)
		count = size = 1;
	return realloc(old, count * size);
}

void
mem_warm(void)
{
	static const size_t sizes[] = {20, 40, 56, 72, 88, 104, 120, 140, 180,
	    220, 280, 380, 480, 600, 900};
	static void *kept[sizeof(sizes) / sizeof(sizes[0])];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (kept[i] == NULL)
			kept[i] = malloc(sizes[i]); /* none: as without it */
	}
}

void *
mem_alloc(size_t count, size_t size)
{
	void *p = mem_try_alloc(count, size);

	if (p == NULL)
		die_temp("out of memory");
	return p;
}

void *
mem_resize(void *old, size_t count, size_t size)
{
	void *p = mem_try_resize(old, count, size);

	if (p == NULL)
		die_temp("out of memory");
	return p;
}
