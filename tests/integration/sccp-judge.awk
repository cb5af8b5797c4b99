# sccp-judge.awk MISREADS FIELDS: what tshark said of each frame with SCCP, as
# -T fields of frame.number, skinny.hdr_version, skinny.messageId,
# skinny.data_length, _ws.expert.message. Prints what is malformed and not
# listed in MISREADS, and how many messages there were; fails if there were none
# or something is printed.
BEGIN { FS = " " }
FNR == 1 { file++; if (file == 2) FS = "\t" }
file == 1 && !/^#/ && NF { listed[strtonum_($1) "," strtonum_($2) "," $3] = 1 }
function strtonum_(s,  i, v, c) {
	s = tolower(s)
	if (s !~ /^0x/) return s + 0
	for (i = 3; i <= length(s); i++) {
		c = index("0123456789abcdef", substr(s, i, 1)) - 1
		v = 16 * v + c
	}
	return v
}
file == 2 {
	n = split($2, version, ","); split($3, id, ","); split($4, len, ",")
	pdus += n
	bad = gsub(/Malformed Packet/, "", $5)
	known = 0
	for (i = 1; i <= n; i++)
		if ((strtonum_(version[i]) "," strtonum_(id[i]) "," len[i]) in listed)
			known++
	if (bad > known) {
		printf "frame %s: %d of %d messages malformed, %d listed: ids %s lengths %s\n",
			$1, bad, n, known, $3, $4
		wrong++
	}
	misread += bad
}
END {
	printf "%d messages, %d misread as listed, %d frames wrong\n", pdus, misread, wrong
	exit wrong > 0 || pdus == 0
}
