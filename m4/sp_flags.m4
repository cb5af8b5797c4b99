# SP_TRY_FLAG(FLAG, VARIABLE): append FLAG to VARIABLE when the compiler
# takes it without a complaint.
AC_DEFUN([SP_TRY_FLAG], [
	AS_VAR_PUSHDEF([sp_cache], [sp_cv_flag_$1])
	AC_CACHE_CHECK([whether $CC accepts $1], [sp_cache], [
		sp_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $1"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([sp_cache], [yes])],
			[AS_VAR_SET([sp_cache], [no])])
		CFLAGS=$sp_save_CFLAGS])
	AS_VAR_IF([sp_cache], [yes], [$2="$$2 $1"])
	AS_VAR_POPDEF([sp_cache])
])

# SP_FLAGS: language, warnings and hardening (CONTRIBUTING.md).
AC_DEFUN([SP_FLAGS], [
	SP_CFLAGS="-std=gnu17"
	m4_foreach_w([sp_flag], [-Wall -Wextra -Wshadow -Wconversion
		-Wstrict-prototypes -Wmissing-prototypes
		-Wold-style-definition -Wpointer-arith -Wwrite-strings
		-Wcast-qual -Wcast-align=strict -Wvla -Walloca -Wundef
		-Wformat=2 -Wimplicit-fallthrough -Wswitch-enum
		-Wnull-dereference -Wlogical-op -Wduplicated-cond
		-Wframe-larger-than=4096 -Wshorten-64-to-32],
		[SP_TRY_FLAG(sp_flag, [SP_CFLAGS])])
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
		[warnings are errors (for developers, not packagers)])])
	AS_IF([test "$enable_werror" = yes], [SP_CFLAGS="$SP_CFLAGS -Werror"])
	AC_SUBST([SP_CFLAGS])
])

# SP_SANITIZERS: --enable-asan, --enable-tsan, --enable-fuzzing; hardening goes
# with none of them (nor with valgrind: --disable-hardening), because automatic
# initialisation hides what they look for. Frames are measured without them: what
# they put around each variable is not ours.
AC_DEFUN([SP_SANITIZERS], [
	AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan],
		[build with AddressSanitizer and UBSan])])
	AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan],
		[build with ThreadSanitizer])])
	AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
		[build without hardening, for valgrind])])
	AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing],
		[build the fuzz targets with libFuzzer (needs clang)])])
	SP_HARDEN=""
	SP_LDFLAGS=""
	AS_IF([test "$enable_asan" = yes || test "$enable_fuzzing" = yes], [
		SP_CFLAGS="$SP_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-frame-larger-than"
		SP_LDFLAGS="-fsanitize=address,undefined"
		AC_DEFINE([SP_SANITIZED], [1], [built with sanitizers])
	], [test "$enable_tsan" = yes], [
		SP_CFLAGS="$SP_CFLAGS -fsanitize=thread -fno-omit-frame-pointer"
		SP_LDFLAGS="-fsanitize=thread"
		AC_DEFINE([SP_SANITIZED], [1], [built with sanitizers])
	], [test "$enable_hardening" != no], [
		m4_foreach_w([sp_flag], [-D_FORTIFY_SOURCE=2
			-fstack-protector-strong -fstack-clash-protection
			-fcf-protection -ftrivial-auto-var-init=zero -fPIE],
			[SP_TRY_FLAG(sp_flag, [SP_HARDEN])])
		SP_LDFLAGS="-pie -Wl,-z,relro,-z,now"
	])
	AS_IF([test "$enable_fuzzing" = yes],
		[SP_CFLAGS="$SP_CFLAGS -fsanitize=fuzzer-no-link"])
	AM_CONDITIONAL([FUZZING], [test "$enable_fuzzing" = yes])
	AC_SUBST([FUZZ_ENGINE], [-fsanitize=fuzzer])
	AM_CONDITIONAL([ASAN], [test "$enable_asan" = yes])
	AC_SUBST([SP_HARDEN])
	AC_SUBST([SP_LDFLAGS])
])
