/*
 * program - for targets that take a whole program in, which ends by jumping
 *           back into the target
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <setjmp.h>

/* Where the program returns to. */
static jmp_buf end_of_program;

/* Jumping leaves memory behind. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

#endif
