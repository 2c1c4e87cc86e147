#include "choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct picks pick = {.seed = 1};

uint32_t
choices_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x >> 32);
}

static int
choose(void *owner, int count)
{
	size_t at = pick.used++;
	int value = 0;

	(void)owner;
	if (at >= CHOICES_MAX)
		abort();
	switch (pick.kind) {
	case FIXED:
		value = at == pick.at ? pick.other : pick.standard;
		break;
	case GIVEN:
		value = at < pick.given ? pick.picked[at] : 0;
		break;
	case RANDOM:
		value = pick.standard;
		if ((choices_random(&pick.random) & 0xffff) < pick.flip)
			value = (int)(choices_random(&pick.random) %
			    (uint32_t)count);
		break;
	}
	if (value >= count)
		value = count - 1;
	pick.picked[at] = (unsigned short)value;
	pick.counts[at] = (unsigned short)count;
	return value;
}

/* Follows from the choices before it, so that these are all of a state. */
static uint32_t
noise(void *owner)
{
	(void)owner;
	if (pick.noise == 0) {
		pick.noise = pick.seed;
		for (size_t i = 0; i < pick.used; i++)
			pick.noise = (pick.noise ^ pick.picked[i]) *
			    UINT64_C(0x100000001b3);
	}
	return choices_random(&pick.noise);
}

static const struct chooser chooser = {choose, noise, NULL};

struct node *
choices_build(struct disk *disk, bool content)
{
	pick.used = 0;
	pick.noise = 0;
	return disk_build(disk, &chooser, content);
}

/* The choices that were made; several characters for those above 61. */
void
choices_append(char *spec, size_t cut)
{
	char *to = spec + strlen(spec);

	to += sprintf(to, "%zu:", cut);
	for (size_t i = 0; i < pick.used; i++) {
		unsigned value = pick.picked[i];

		for (; value >= 25; value -= 25)
			*to++ = 'z';
		*to++ = (char)('a' + value);
	}
	*to = '\0';
}

/* The other way round; returns what is behind. */
const char *
choices_read(const char *spec, size_t *cut)
{
	char *rest;
	unsigned add = 0;

	*cut = strtoul(spec, &rest, 10);
	pick.kind = GIVEN;
	pick.given = 0;
	for (spec = rest + 1; *spec != '\0' && *spec != ':'; spec++) {
		if (*spec == 'z') {
			add += 25;
			continue;
		}
		pick.picked[pick.given++] = (unsigned short)(*spec - 'a' + add);
		add = 0;
	}
	return *spec == ':' ? spec + 1 : spec;
}

void
choices_shuffle(void)
{
	static const uint32_t flips[] = {65536, 65536, 32768, 8192, 2048};

	pick.kind = RANDOM;
	pick.flip = flips[choices_random(&pick.random) %
	    (sizeof(flips) / sizeof(flips[0]))];
	pick.standard = (int)(choices_random(&pick.random) & 1);
}

/* The next of all choices, in picked; false behind the last. */
bool
choices_step(void)
{
	size_t at = pick.used;

	while (at > 0 && pick.picked[at - 1] + 1 == pick.counts[at - 1])
		at--;
	if (at == 0)
		return false;
	pick.picked[at - 1]++;
	pick.given = at;
	return true;
}

/* How many there are, as far as max. */
size_t
choices_count(struct disk *disk, size_t max)
{
	size_t count = 0;

	pick.kind = GIVEN;
	pick.given = 0;
	do {
		(void)choices_build(disk, false);
		count++;
	} while (count <= max && choices_step());
	return count;
}

void
choices_fix(int standard, size_t at, int other)
{
	pick.kind = FIXED;
	pick.standard = standard;
	pick.at = at;
	pick.other = other;
}
