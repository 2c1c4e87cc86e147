/*
 * mem - allocation with checked sizes
 *
 * mem_alloc, mem_resize: never return NULL; exhaustion ends the process with
 *   status 111 and one line on stderr. For programs that serve one request.
 * mem_try_*: return NULL with errno ENOMEM. For daemons that must live on.
 * A product count * size that wraps counts as exhaustion. Free with free().
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/attr.h"

MUST_USE void *mem_alloc(size_t count, size_t size); /* zeroed */
MUST_USE void *mem_resize(void *old, size_t count, size_t size);
MUST_USE void *mem_try_alloc(size_t count, size_t size); /* zeroed */
MUST_USE void *mem_try_resize(void *old, size_t count, size_t size);
/* For a program that serves many requests in turn: a small libc gives memory
   back to the system with the last piece of a size, and asks for it again at
   once. Keeps one piece of each small size for good. */
void mem_warm(void);

#endif
