/*
 * choices - who chooses among the states that a cut may leave
 *
 * A state is its choices, and the seed; they can be written down and read
 * again.
 */
#ifndef CRASH_CHOICES_H
#define CRASH_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk.h"

enum {
	CHOICES_MAX = 4096,
	CHOICES_SPEC_MAX = 2 * CHOICES_MAX + 64,
};

/* How to choose, and, after choices_build, what was chosen. */
struct picks {
	unsigned short picked[CHOICES_MAX], counts[CHOICES_MAX];
	size_t used;
	enum {
		FIXED,
		GIVEN,
		RANDOM
	} kind;
	int standard; /* FIXED: the choice */
	size_t at;    /* FIXED: but for this one */
	int other;
	size_t given;           /* GIVEN: so many of picked, then 0 */
	uint32_t flip;          /* RANDOM: of 2^16; else standard */
	uint64_t random, noise; /* states of generators */
	uint64_t seed;
};
extern struct picks pick;

/* The next of a series of numbers. */
uint32_t choices_random(uint64_t *state);
/* As disk_build. */
struct node *choices_build(struct disk *disk, bool content);
/* Sets the next of all choices up, in the order of counting; false behind the
   last one. */
bool choices_step(void);
/* How many there are, as far as max. */
size_t choices_count(struct disk *disk, size_t max);
/* Sets up: all choices are standard, but the one at at, which is other. */
void choices_fix(int standard, size_t at, int other);
/* Sets up: at random, more or less so. */
void choices_shuffle(void);
/* Appends CUT:CHOICES to spec, which has room. */
void choices_append(char *spec, size_t cut);
/* Sets these up; returns what is behind. */
const char *choices_read(const char *spec, size_t *cut);

#endif
