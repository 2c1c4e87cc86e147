#include "local/mbox_split.h"

#include "base/num.h"

static bool
starts_from(struct span text)
{
	return text.len >= 5 && span_is(span_until(text, 5), "From ");
}

/* A piece of a line that has had nothing but '>' so far. */
static void
feed_quotes(struct mbox_split *split, struct span piece, struct str *to)
{
	size_t count = 0;

	while (count < piece.len && piece.s[count] == '>')
		count++;
	if (count < piece.len) {
		split->in_quotes = false;
		/* one of them is held back, and goes: it was ours */
		if (!starts_from(span_from(piece, count)))
			str_append_char(to, '>');
	}
	str_append_span(to, piece);
}

enum mbox_piece
mbox_split_feed(struct mbox_split *split, struct span piece, struct str *to)
{
	bool in_line = split->in_line;

	if (piece.len == 0)
		return MBOX_PIECE_DATA;
	split->in_line = piece.s[piece.len - 1] != '\n';
	if (in_line) {
		if (split->in_from)
			return MBOX_PIECE_DATA;
		if (split->in_quotes)
			feed_quotes(split, piece, to);
		else
			str_append_span(to, piece);
		return MBOX_PIECE_DATA;
	}
	split->in_from = false;
	if ((split->is_blank || !split->has_begun) && starts_from(piece)) {
		*split = (struct mbox_split){.has_begun = true,
		    .in_line = split->in_line,
		    .in_from = true};
		return MBOX_PIECE_START;
	}
	if (!split->has_begun)
		return span_is(piece, "\n") ? MBOX_PIECE_DATA
					    : MBOX_PIECE_WRONG;
	if (split->is_blank)
		str_append_char(to, '\n');
	split->is_blank = span_is(piece, "\n");
	split->in_quotes = piece.s[0] == '>';
	if (split->in_quotes)
		feed_quotes(split, span_from(piece, 1), to);
	else if (!split->is_blank)
		str_append_span(to, piece);
	return MBOX_PIECE_DATA;
}

void
mbox_split_end(struct mbox_split *split, struct str *to)
{
	if (split->in_line && split->in_quotes)
		str_append_char(to, '>');
	*split = (struct mbox_split)MBOX_SPLIT_INIT;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; month from 0. */
static int64_t
days_to(int64_t year, int month, int64_t day)
{
	static const int before[] = {
	    0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t past = year - 1; /* leap days of the years before, and ours */
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return (year - 1970) * 365 + past / 4 - past / 100 + past / 400 - 477 +
	    before[month] + (is_leap && month > 1 ? 1 : 0) + day - 1;
}

/* The number in two or four columns; a space in front counts as 0. */
static bool
take_number(struct span columns, uint64_t max, int64_t *value)
{
	uint64_t number;

	if (columns.len > 0 && columns.s[0] == ' ')
		columns = span_from(columns, 1);
	if (num_parse_u64(columns, &number) == -1 || number > max)
		return false;
	*value = (int64_t)number;
	return true;
}

static struct span
columns_of(struct span text, size_t start, size_t len)
{
	return span_until(span_from(text, start), len);
}

bool
mbox_from_time(struct span line, int64_t *when_s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	enum {
		WIDTH = 24, /* columns of "Sun Nov 02 18:46:21 2026" */
	};
	int64_t day, hour, minute, second, year;
	int month = 0;
	struct span at;

	line = span_trim_right(line);
	if (line.len < WIDTH)
		return false;
	at = span_from(line, line.len - WIDTH);
	while (month < 12 &&
	    !span_equal(
		columns_of(at, 4, 3), (struct span){months + 3 * month, 3}))
		month++;
	if (month == 12 || at.s[13] != ':' || at.s[16] != ':' ||
	    at.s[10] != ' ' || at.s[19] != ' ')
		return false;
	if (!take_number(columns_of(at, 8, 2), 31, &day) || day == 0 ||
	    !take_number(columns_of(at, 11, 2), 23, &hour) ||
	    !take_number(columns_of(at, 14, 2), 59, &minute) ||
	    !take_number(columns_of(at, 17, 2), 60, &second) ||
	    !take_number(columns_of(at, 20, 4), 9999, &year) || year < 1970)
		return false;
	*when_s = ((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 +
	    second;
	return true;
}
