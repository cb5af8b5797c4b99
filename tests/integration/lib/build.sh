# Building from the source tree, again and again; needs $TOP.

# build DIR CONFIGURE-ARGUMENT...: configure once, then make what changed
build() {
	local dir=$TOP/$1
	shift
	if [ ! -x "$TOP/configure" ]; then
		(cd "$TOP" && autoreconf -fi)
	fi
	mkdir -p "$dir"
	if [ ! -e "$dir/config.status" ]; then
		(cd "$dir" && ../configure "$@")
	fi
	make -C "$dir" -j"$(nproc)"
}
