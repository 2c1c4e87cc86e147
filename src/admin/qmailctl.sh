#!/bin/sh
# qmailctl - start, stop and look after the services of the mail system
# Runs as: the caller; who owns the services: root, or an instance's user
# Trusts:  its arguments
# Reads:   service/, log/ and queue/
# Writes:  to supervise of each service/; control/ and users/cdb through make
# Exit:    0 done; 1 status: a service is not as it should be; 100 wrong usage;
#          111 failed, safe to run again
set -u
QMAILHOME=${QMAILHOME:-@HOME@}
services=${QMAILSERVICES:-$QMAILHOME/service}
PATH=$QMAILHOME/bin:$PATH:/usr/local/bin:/usr/bin:/bin
export QMAILHOME PATH
wait_s=60

say() {
	printf '%s\n' "$*"
}

die() {
	code=$1
	shift
	printf 'qmailctl: %s\n' "$*" >&2
	exit "$code"
}

usage() {
	cat <<'END'
qmailctl start [service...]      start all services, or those named
qmailctl stop [-x] [-w seconds] [service...]
                                 stop them, and wait until they are down;
                                 -x: end their supervise too
qmailctl restart [-w seconds] [service...]
qmailctl status                  which are up, and how much is queued
qmailctl reload                  cdb, then read locals and virtualdomains again
qmailctl cdb                     compile rules, users/assign, morercpthosts
qmailctl queue                   what is queued, message by message
qmailctl flush                   try now whatever waits
qmailctl pause [local|remote]    hold deliveries; survives a restart
qmailctl cont [local|remote]     go on with them
qmailctl log [-f] [-n lines] [service]
                                 the end of a log, in local time
qmailctl help                    this text

doqueue is flush, stat is status. Services: queue, send, smtpd and so on.
END
}

need() {
	command -v "$1" >/dev/null 2>&1 ||
		die 111 "$1 is missing: install ${2:-daemontools}"
}

# ---- which services there are ------------------------------------------------

# The directory of a service; that of another qmail may be called qmail-NAME.
dir_of() {
	if [ -d "$services/$1" ]; then
		printf '%s\n' "$services/$1"
	else
		printf '%s\n' "$services/qmail-$1"
	fi
}

# All names, in the order of starting: the queue, the deliveries, the servers.
all_names() {
	others=
	for run in "$services"/*/run; do
		[ -e "$run" ] || continue
		name=${run%/run}
		name=${name##*/}
		name=${name#qmail-}
		case $name in
		queue | send) ;;
		*) others="$others $name" ;;
		esac
	done
	for name in queue send; do
		[ ! -e "$(dir_of $name)/run" ] || printf '%s ' $name
	done
	printf '%s\n' "$others"
}

check_name() {
	case $1 in
	'' | -* | .* | */* | *[!A-Za-z0-9._-]*)
		die 100 "$1 is not the name of a service" ;;
	esac
	[ -e "$(dir_of "$1")/run" ] ||
		die 100 "there is no service $1 in $services: there are$(
			for name in $(all_names); do printf ' %s' "$name"; done)"
}

# The names given, or all.
names_of() {
	# shellcheck disable=SC2046 # names are words
	[ $# -gt 0 ] || set -- $(all_names)
	[ $# -gt 0 ] ||
		die 111 "there are no services in $services: run qmail-conf"
	for name; do
		check_name "$name"
	done
	printf '%s\n' "$*"
}

# What svstat says, without the path; "down" first in every kind of down.
state_of() {
	dir=$(dir_of "$1")
	if svok "$dir"; then
		text=$(svstat "$dir")
		printf '%s\n' "${text#"$dir": }"
	elif [ -d "$dir/supervise" ] && [ ! -x "$dir/supervise" ]; then
		printf 'unknown: no permission, are you root?\n'
	else
		printf 'down, no supervise runs\n'
	fi
}

is_up() {
	case $(state_of "$1") in
	up*) return 0 ;;
	esac
	return 1
}

is_down() {
	case $(state_of "$1") in
	down*) return 0 ;;
	esac
	return 1
}

is_gone() {
	! svok "$(dir_of "$1")"
}

stays_down() {
	[ -e "$(dir_of "$1")/down" ]
}

# wait_until predicate name: for wait_s seconds at most
wait_until() {
	tries=0
	until "$1" "$2"; do
		[ "$tries" -lt $((wait_s * 5)) ] || return 1
		tries=$((tries + 1))
		sleep 0.2 2>/dev/null || sleep 1
	done
}

# ---- start and stop ----------------------------------------------------------

explain_svscan() {
	for place in /etc/service /service /var/service; do
		[ ! -d "$place" ] || break
	done
	[ -d "$place" ] || place=/service
	say "No svscan looks after:$1" >&2
	if [ "$(id -u)" -eq 0 ] && [ "$services" = "$QMAILHOME/service" ]; then
		say "If svscan runs, link each into its directory:" >&2
		for name in $1; do
			say "    ln -s $(dir_of "$name") $place/qmail-$name" >&2
		done
		say "If not, start it: svscan $place &" >&2
	else
		say "Start it: svscan $services &" >&2
	fi
}

start() {
	status=0
	missing=
	all=no
	[ $# -gt 0 ] || all=yes
	names=$(names_of "$@") || exit
	for name in $names; do
		dir=$(dir_of "$name")
		if [ $all = yes ] && stays_down "$name" && ! is_up "$name"; then
			say "$name: stays down, since there is $dir/down"
		elif svok "$dir"; then
			[ ! -d "$dir/log" ] || svc -u "$dir/log"
			svc -u "$dir"
			wait_until is_up "$name" || status=111
			say "$name: $(state_of "$name")"
		else
			missing="$missing $name"
		fi
	done
	[ -z "$missing" ] || {
		explain_svscan "$missing"
		status=111
	}
	return $status
}

# Servers first, the queue last: nobody meets a queue that is gone.
reversed() {
	list=
	for name; do
		list="$name $list"
	done
	printf '%s\n' "$list"
}

stop() {
	status=0
	names=$(names_of "$@") || exit
	# shellcheck disable=SC2086 # names are words
	names=$(reversed $names)
	for name in $names; do
		svok "$(dir_of "$name")" || continue
		svc -d "$(dir_of "$name")"
	done
	for name in $names; do
		if wait_until is_down "$name"; then
			[ "$end" = no ] || end_supervise "$name" || status=111
			say "$name: $(state_of "$name")"
		else
			status=111
			say "$name: $(state_of "$name") after $wait_s seconds" >&2
			[ "$name" != send ] ||
				say "    deliveries that run are finished first" >&2
		fi
	done
	return $status
}

# A svscan that still looks at the service starts supervise again.
end_supervise() {
	dir=$(dir_of "$1")
	if svok "$dir"; then
		svc -dx "$dir"
	fi
	if svok "$dir/log"; then
		svc -dx "$dir/log"
	fi
	wait_until is_gone "$1" || {
		say "$1: supervise does not end, or svscan starts it again" >&2
		return 111
	}
}

# Without names: those that are up, and those that should be.
restart() {
	[ $# -gt 0 ] || for name in $(names_of); do
		if is_up "$name" || ! stays_down "$name"; then
			set -- "$@" "$name"
		fi
	done
	stop "$@" || exit
	start "$@"
}

status() {
	status=0
	names=$(names_of) || exit
	for name in $names; do
		state=$(state_of "$name")
		printf '%-12s %s\n' "$name" "$state"
		case $state in
		up*) ;;
		*) stays_down "$name" || status=1 ;;
		esac
	done
	qmail-qstat || : # it has said why; the services are what counts
	return $status
}

# ---- configuration, queue, log -----------------------------------------------

cdb() {
	need make make
	[ -e "$QMAILHOME/control/Makefile" ] ||
		die 111 "there is no $QMAILHOME/control/Makefile: run qmail-conf"
	(cd "$QMAILHOME/control" && make) || exit 111
}

signal_send() {
	is_up send || die 111 "send is not up: $(state_of send)"
	svc "$1" "$(dir_of send)"
}

# Exit status 1 is "was not held": then all is as it should be.
channel() {
	qmail-qtool "$1" channel "$2" || [ $? -eq 1 ] || exit 111
}

# hold or release, of one channel or both
channels() {
	case ${2-all} in
	local | remote) channel "$1" "$2" ;;
	all)
		channel "$1" local
		channel "$1" remote
		;;
	*) die 100 "the channel must be local or remote, not $2" ;;
	esac
}

show_log() {
	follow=no
	lines=20
	while getopts fn: option; do
		case $option in
		f) follow=yes ;;
		n) lines=$OPTARG ;;
		*) exit 100 ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -le 1 ] || die 100 "log shows one service"
	case $lines in
	'' | *[!0-9]*) die 100 "-n wants a number, not $lines" ;;
	esac
	check_name "${1-send}"
	need tai64nlocal
	log=$QMAILHOME/log/${1-send}
	[ -r "$log/current" ] || die 111 "cannot read $log/current"
	if [ $follow = yes ]; then
		tail -n "$lines" -F "$log/current" | tai64nlocal
	else
		# the files that multilog has put aside, then the one it writes
		for file in "$log"/@* "$log/current"; do
			[ ! -f "$file" ] || cat "$file"
		done | tail -n "$lines" | tai64nlocal
	fi
}

# ---- the command line --------------------------------------------------------

# Sets end and wait_s; OPTIND tells how many words were options.
parse_stop() {
	end=no
	while getopts "$@"; do
		case $option in
		x) end=yes ;;
		w) wait_s=$OPTARG ;;
		*) exit 100 ;;
		esac
	done
	case $wait_s in
	'' | *[!0-9]* | ??????*) die 100 "-w wants seconds, not $wait_s" ;;
	esac
}

no_more() {
	[ $# -eq 0 ] || die 100 "$command takes no arguments"
}

[ $# -gt 0 ] || {
	usage >&2
	exit 100
}
command=$1
shift
case $command in
help | -h | --help)
	usage
	exit 0
	;;
log)
	show_log "$@"
	exit
	;;
cdb)
	no_more "$@"
	cdb
	exit
	;;
pause | cont) [ $# -le 1 ] || die 100 "$command takes one channel" ;;
status | stat | reload | hup | queue | flush | doqueue | alrm) no_more "$@" ;;
esac
end=no
case $command in
pause) channels hold "$@" ;;
cont) channels release "$@" ;;
queue) qmail-qstat && qmail-qread || exit 111 ;;
*)
	need svc
	need svok
	case $command in
	start) start "$@" ;;
	stop)
		parse_stop xw: option "$@"
		shift $((OPTIND - 1))
		stop "$@"
		;;
	restart)
		parse_stop w: option "$@"
		shift $((OPTIND - 1))
		restart "$@"
		;;
	status | stat) status ;;
	reload | hup)
		cdb
		signal_send -h
		;;
	flush | doqueue | alrm) signal_send -a ;;
	*) die 100 "there is no command $command: see qmailctl help" ;;
	esac
	;;
esac
