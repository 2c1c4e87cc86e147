#include "local/local_report.h"

#include "net/child.h"

struct fixed {
	int code;
	char letter;
	const char *text;
};

static const struct fixed texts[] = {
    {CHILD_KILLED, 'Z', "qmail-local crashed.\n"},
    {LOCAL_BUG, 'Z', "qmail-lspawn found a bug in itself. (#4.3.0)\n"},
    {LOCAL_ROOT, 'Z', "Not allowed to deliver mail as root. (#4.7.0)\n"},
    {115, 'Z', "A home directory on the network is out of reach. (#4.3.0)\n"},
    {116, 'Z', "There is no alias account to take this mail. (#4.3.5)\n"},
    {LOCAL_CDB, 'Z', "Unable to read users/cdb. (#4.3.0)\n"},
    {LOCAL_SYSTEM, 'Z', "Trouble with the system or its accounts. (#4.3.0)\n"},
    {LOCAL_MEMORY, 'Z', "Out of memory. (#4.3.0)\n"},
    {LOCAL_EXEC, 'Z', "Unable to run qmail-local just now. (#4.3.0)\n"},
    {LOCAL_GETPW_EXEC, 'Z', "Unable to run qmail-getpw. (#4.3.0)\n"},
    {126, 'D', "Unable to run qmail-local. (#5.3.0)\n"},
};

const char *
local_report_fixed(int code, char *letter)
{
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (texts[i].code == code) {
			*letter = texts[i].letter;
			return texts[i].text;
		}
	}
	return NULL;
}

const char *
local_report_getpw(int code, char *letter)
{
	const char *text = local_report_fixed(code, letter);

	if (code == CHILD_KILLED)
		return "qmail-getpw crashed.\n";
	if (text != NULL)
		return text;
	*letter = code == EXIT_PERM ? 'D' : 'Z';
	return code == EXIT_PERM
	    ? "Sorry, there is no mailbox of that name. (#5.1.1)\n"
	    : "qmail-getpw did not say whose mail this is. (#4.3.0)\n";
}

const char *
local_report_lost(int code)
{
	char letter;
	const char *text = local_report_fixed(code, &letter);

	return text != NULL ? text
			    : "qmail-local ended without a report. (#4.3.0)\n";
}

char
local_report_output(int code, struct span output, struct report *report)
{
	char letter;
	const char *text = local_report_fixed(code, &letter);

	if (text != NULL) {
		report_add(report, span_of(text));
		return letter;
	}
	report_add(report, output);
	report_finish(report);
	switch (code) {
	case EXIT_OK:
		return 'K';
	case EXIT_TEMP:
	case 71:
	case 74:
	case 75:
		return 'Z';
	default:
		return 'D';
	}
}
