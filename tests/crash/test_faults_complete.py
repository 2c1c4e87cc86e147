"""fault.c knows each function through which the programs reach the kernel, or there is a reason.

A call that is missing there would be one that no test of a fault ever makes fail.
"""
import os
import re
import subprocess

from crashlib import BIN, FAULT

# functions of libc that make no system call (but for memory, which is counted at malloc)
PURE = set("""
    __assert_fail __errno_location abort crypt getenv setenv unsetenv strdup
    memchr memcmp memcpy memmove memset strchr strcmp strcspn strerror strlen strncmp strpbrk
    strrchr strspn strstr snprintf vsnprintf qsort getopt inet_ntop inet_pton res_nmkquery
    regcomp regerror regexec regfree sigemptyset sigaddset gmtime_r strftime free freeifaddrs dirfd
    __cxa_finalize __gmon_start__ __libc_start_main _ITM_deregisterTMCloneTable
    _ITM_registerTMCloneTable optarg optind opterr optopt environ
    stdin stdout stderr""".split())

# functions that do, and are left alone
OTHERS = {
    "cannot fail": """alarm umask getpid getuid geteuid getgid getegid time closedir closelog
        openlog isatty res_nclose""",
    "fails only for an argument that is wrong": """sigaction sigprocmask kill clock_gettime
        setpgid""",
    "never tells of a failure": "syslog setutxent getutxent endutxent tzset localtime_r",
    "a sandbox that cannot be had is left out, as where the kernel has none":
        "prctl syscall realpath",
    "a hint to the file system": "ioctl",
    "only in an administrator's program, which starts nothing that waits": "printf fflush",
}


def imports():
    """{function: a program that needs it}"""
    found = {}
    for program in sorted(os.listdir(BIN)):
        path = os.path.join(BIN, program)
        with open(path, "rb") as f:
            if f.read(4) != b"\x7fELF":
                continue
        listed = subprocess.run(["nm", "-D", "--undefined-only", path], check=True,
                                stdout=subprocess.PIPE, text=True, timeout=60).stdout
        for line in listed.splitlines():
            name = line.split()[-1].partition("@")[0]
            found[re.sub("^__(posix_|(?=res_))", "", name)] = program
    return found


def wrapped():
    listed = subprocess.run(["nm", "-D", "--defined-only", FAULT], check=True,
                            stdout=subprocess.PIPE, text=True, timeout=60).stdout
    return {re.sub("^__(?=res_)", "", line.split()[-1].partition("@")[0])
            for line in listed.splitlines() if line.split()[-2] == "T"}


def test_each_function_is_wrapped_or_has_a_reason():
    others = {name for names in OTHERS.values() for name in names.split()}
    needed, known = imports(), wrapped()
    assert len(needed) > 100 and len(known) > 80
    assert not others & known and not others & PURE and not PURE & known
    missing = {n: p for n, p in needed.items() if n not in known | others | PURE}
    assert not missing, "fault.c does not know %s" % missing
    unused = others - set(needed)
    assert not unused, "no program needs %s any more" % unused
