# streams.awk -v name=NAME -v sallyport=ADDRESS LOG...: the negotiated media of
# every call in a phone's SIP log, for srtpcheck: a line per direction and key
# with source, destination, suite and key. The keys of a direction are the
# a=crypto of the SDPs whose author sends it (RFC 4568 section 5.1); of an offer
# with several the answer's tag chooses one, and those that a later offer or
# answer gave in its place are of the same suite. Logs of baresip -s and linphonec
# -d 6 both print whole messages.
function message_end() {
	if (id != "" && addr != "" && port != "") {
		who = addr ":" port
		if (!((id, "offer") in author)) author[id, "offer"] = who
		else if (who != author[id, "offer"]) author[id, "answer"] = who
		for (t in tags) {
			crypto[id, who, t] = tags[t]
			if (!((id, who, tags[t]) in given)) {
				given[id, who, tags[t]] = 1
				key_of[id, who, ++keys[id, who]] = tags[t]
			}
		}
		tag[id, who] = lasttag
		if (!(id in seen)) { seen[id] = 1; order[++calls] = id }
	}
	id = addr = port = lasttag = ""; delete tags
}
function line(i, from, to, key) {
	if (key == "") return
	printf "%s/%d %s %s %s %s\n", name, i,
		index(to, sallyport ":") == 1 ? "up" : "down", from, to, key
}
# all keys that who gave in call id, of the suite of the last one
function lines(i, id, who, from, to, last,    n, of, mine) {
	split(last, of, " ")
	for (n = 1; n <= keys[id, who]; n++) {
		split(key_of[id, who, n], mine, " ")
		if (mine[1] == of[1]) line(i, from, to, key_of[id, who, n])
	}
}
{ gsub(/\033\[[0-9;]*m/, ""); sub(/\r$/, "") }
/^[A-Z]+ sips?:[^ ]* SIP\/2\.0$/ || /^SIP\/2\.0 [0-9]+ / { message_end() }
tolower($1) == "call-id:" { id = $2 }
/^c=IN IP4 / { if (addr == "" && $3 != "0.0.0.0") addr = $3 } # hold
/^m=/ { inaudio = /^m=audio /; if (inaudio) port = $2 }
/^a=crypto:/ && inaudio { t = $1; sub(/^a=crypto:/, "", t); key = $3
	sub(/^inline:/, "", key); sub(/\|.*/, "", key)
	tags[t] = $2 " " key; lasttag = t }
END {	message_end()
	for (i = 1; i <= calls; i++) {
		id = order[i]; o = author[id, "offer"]; a = author[id, "answer"]
		if (a == "") continue
		lines(i, id, o, o, a, crypto[id, o, tag[id, a]])
		lines(i, id, a, a, o, crypto[id, a, tag[id, a]])
	} }
