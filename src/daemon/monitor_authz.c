#include "control/control.h"
#include "daemon/monitor.h"
#include "proxy/trial.h"

void monitor_authz_test(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct trial t = {
		.trunk = control_arg_get(args, "trunk"),
		.device = control_arg_get(args, "device"),
		.method = control_arg_get(args, "method"),
		.event = control_arg_get(args, "event"),
		.user = control_arg_get(args, "user"),
		.from = control_arg_get(args, "from"),
		.to = control_arg_get(args, "to"),
		.header = control_arg_get(args, "header"),
		.body = control_arg_get(args, "body"),
		.refer_to = control_arg_get(args, "refer-to"),
		.source = control_arg_get(args, "source"),
		.forward = control_arg_get(args, "forward"),
		.has_replaces = control_arg_get(args, "replaces") != NULL,
		.is_in_dialog = control_arg_get(args, "in-dialog") != NULL,
	};
	struct trial_answer a;
	char why[TRIAL_TEXT_MAX] = "";
	int err = trial_run(m->config, &t, &a, why);

	if (err) {
		control_fail_text(m->control, token,
				  err == ERR_BAD ? why : err_str(err));
		return;
	}
	control_reply(m->control, token,
		      json_pack("{s:s, s:s}", "answer",
				a.status == 0	  ? "processed"
				: a.status == 401 ? "401 Unauthorized"
						  : "403 Forbidden",
				"decided-by", a.rule));
}
