# streams.awk -v name=NAME -v sallyport=ADDRESS LOG...: the negotiated media of
# every call in a phone's SIP log, for srtpcheck: a line per direction and key
# with source, destination, suite and key. The keys of a direction are the
# a=crypto of the SDPs whose author sends it (RFC 4568 section 5.1), as far as
# the other side has named their tag and suite too: the answer chooses one of
# several, and who answered may offer later. Logs of baresip -s and linphonec -d 6
# both print whole messages.
function message_end() {
	if (id != "" && addr != "" && port != "") {
		who = addr ":" port
		if (!((id, "offer") in author)) author[id, "offer"] = who
		else if (who != author[id, "offer"]) author[id, "answer"] = who
		for (t in tags) {
			if (!((id, who, t, tags[t]) in given)) {
				given[id, who, t, tags[t]] = 1
				key_of[id, who, ++keys[id, who]] = tags[t]
				split(tags[t], word, " ")
				named[id, who, t, word[1]] = 1
				under[id, who, keys[id, who]] = t SUBSEP word[1]
			}
		}
		if (!(id in seen)) { seen[id] = 1; order[++calls] = id }
	}
	id = addr = port = ""; delete tags
}
function line(i, from, to, key) {
	if ((i, from, to, key) in printed) return
	printed[i, from, to, key] = 1
	printf "%s/%d %s %s %s %s\n", name, i,
		index(to, sallyport ":") == 1 ? "up" : "down", from, to, key
}
function lines(i, id, from, to,    n) {
	for (n = 1; n <= keys[id, from]; n++)
		if ((id SUBSEP to SUBSEP under[id, from, n]) in named)
			line(i, from, to, key_of[id, from, n])
}
{ gsub(/\033\[[0-9;]*m/, ""); sub(/\r$/, "") }
/^[A-Z]+ sips?:[^ ]* SIP\/2\.0$/ || /^SIP\/2\.0 [0-9]+ / { message_end() }
tolower($1) == "call-id:" { id = $2 }
/^c=IN IP4 / { if (addr == "" && $3 != "0.0.0.0") addr = $3 } # hold
/^m=/ { inaudio = /^m=audio /; if (inaudio) port = $2 }
/^a=crypto:/ && inaudio { t = $1; sub(/^a=crypto:/, "", t); key = $3
	sub(/^inline:/, "", key); sub(/\|.*/, "", key)
	tags[t] = $2 " " key }
END {	message_end()
	for (i = 1; i <= calls; i++) {
		id = order[i]; o = author[id, "offer"]; a = author[id, "answer"]
		if (a == "") continue
		lines(i, id, o, a)
		lines(i, id, a, o)
	} }
