#include "sccp/frame.h"

#include "base/reader.h"

int sccp_frame(struct slice in, size_t limit, struct sccp_pdu *ret)
{
	struct reader r;
	uint32_t length, version, id;

	if (in.len < SCCP_LENGTH_SKIP)
		return ERR_MORE;
	reader_init(&r, in);
	length = reader_u32le(&r);
	version = reader_u32le(&r);
	if (length < SCCP_HEAD_LEN - SCCP_LENGTH_SKIP ||
	    version > SCCP_VERSION_MAX)
		return ERR_BAD;
	if (length > limit || length + SCCP_LENGTH_SKIP > limit)
		return ERR_LIMIT;
	if (in.len < length + SCCP_LENGTH_SKIP)
		return ERR_MORE;
	id = reader_u32le(&r);
	*ret = (struct sccp_pdu){
		.bytes = slice_sub(in, 0, length + SCCP_LENGTH_SKIP),
		.version = version,
		.id = id,
	};
	return 0;
}
