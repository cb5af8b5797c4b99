#include "sdp/line.h"

#include "base/text.h"

bool sdp_line_next(struct slice *rest, struct slice *ret_line)
{
	struct slice line;

	if (rest->len == 0)
		return false;
	text_cut(*rest, '\n', &line, rest);
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	*ret_line = line;
	return true;
}

bool sdp_line_attr(struct slice line, struct slice *ret_name,
		   struct slice *ret_value)
{
	if (!slice_starts(line, "a="))
		return false;
	text_cut(slice_from(line, 2), ':', ret_name, ret_value);
	return true;
}

struct slice sdp_line_field(struct slice *rest)
{
	struct slice field;

	while (rest->len > 0 && rest->ptr[0] == ' ')
		*rest = slice_from(*rest, 1);
	text_cut(*rest, ' ', &field, rest);
	return field;
}
