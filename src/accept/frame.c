#include "accept/frame.h"

#include <assert.h>

void
frame_init(struct frame *frame, struct in *in)
{
	*frame = (struct frame){.in = in};
}

size_t
frame_left(const struct frame *frame)
{
	return frame->left[frame->depth - 1];
}

/* One byte, which the frame around it, if there is one, must still have. */
static enum frame_result
take_byte(struct frame *frame, char *byte)
{
	int got;

	if (frame->depth > 0 && frame_left(frame) == 0)
		return FRAME_INVALID;
	got = in_byte(frame->in);
	if (got == -1)
		return FRAME_LOST;
	if (frame->depth > 0)
		frame->left[frame->depth - 1]--;
	*byte = (char)got;
	return FRAME_OK;
}

enum frame_result
frame_open(struct frame *frame)
{
	enum frame_result result;
	size_t size = 0, digits = 0;
	char byte;

	assert(frame->depth < FRAME_DEPTH_MAX);
	while ((result = take_byte(frame, &byte)) == FRAME_OK && byte != ':') {
		if (byte < '0' || byte > '9' || (digits > 0 && size == 0))
			return FRAME_INVALID;
		digits++;
		size = size * 10 + (size_t)(byte - '0');
		if (size > FRAME_SIZE_MAX) /* each time, so it cannot wrap */
			return FRAME_TOO_BIG;
	}
	if (result != FRAME_OK)
		return result;
	if (digits == 0)
		return FRAME_INVALID;
	/* its bytes and its comma must fit into the frame around it */
	if (frame->depth > 0) {
		if (size >= frame_left(frame))
			return FRAME_INVALID;
		frame->left[frame->depth - 1] -= size;
	}
	frame->left[frame->depth++] = size;
	return FRAME_OK;
}

enum frame_result
frame_read(struct frame *frame, char *to, size_t size, size_t *len)
{
	size_t *left = &frame->left[frame->depth - 1];
	ssize_t got;

	*len = 0;
	if (*left == 0)
		return FRAME_OK;
	got = in_read(frame->in, to, size < *left ? size : *left);
	if (got <= 0)
		return FRAME_LOST;
	*len = (size_t)got;
	*left -= *len;
	return FRAME_OK;
}

enum frame_result
frame_close(struct frame *frame)
{
	enum frame_result result;
	char byte;

	assert(frame->depth > 0 && frame_left(frame) == 0);
	frame->depth--; /* the comma belongs to the frame around it */
	result = take_byte(frame, &byte);
	if (result != FRAME_OK)
		return result;
	return byte == ',' ? FRAME_OK : FRAME_INVALID;
}
