/* settings: what qmail-send does if control/ has little to say */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "send/settings.h"

static void
has_defaults(void **state)
{
	char home[] = "/tmp/settings-XXXXXX";
	struct settings settings = SETTINGS_INIT;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(home));
	assert_int_equal(chdir(home), 0);
	assert_int_equal(mkdir("control", 0755), 0);
	fd = open("control/me", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "me.example\n", 11), 11);
	assert_int_equal(close(fd), 0);
	assert_null(settings_load(&settings));
	assert_int_equal(settings.concurrency[CHANNEL_LOCAL], 10);
	assert_int_equal(settings.concurrency[CHANNEL_REMOTE], 20);
	assert_int_equal(settings.lifetime_s, 604800);
	assert_int_equal(settings.bounce_max_bytes, 0);
	assert_int_equal(settings.double_per_hour, 100);
	assert_string_equal(settings.bouncefrom.s, "MAILER-DAEMON");
	assert_string_equal(settings.bouncehost.s, "me.example");
	assert_string_equal(settings.doublebounceto.s, "postmaster");
	assert_string_equal(settings.doublebouncehost.s, "me.example");
	settings_free(&settings);
	assert_int_equal(unlink("control/me"), 0);
	assert_int_equal(rmdir("control"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(home), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
