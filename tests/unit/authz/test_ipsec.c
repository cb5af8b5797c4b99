/* Is an address protected both ways? Databases as an operator would set them
 * up, right and wrong (RFC 4301 section 4.4.1). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "authz/ipsec.h"
#include "lib/run.h"

enum { UDP = 17, TCP = 6, MAX = 8 };

static struct addr ip(const char *text)
{
	struct addr a = {.family = ADDR_NONE};

	if (text)
		ck_assert_int_eq(addr_parse_ip(slice_str(text), &a), 0);
	return a;
}

static const char us[] = "192.0.2.1", them[] = "198.51.100.1";

/* What differs from a pair of transport mode policies and states that protect
 * everything between us and them. */
struct world {
	struct ipsec_policy policy[MAX];
	struct ipsec_state state[MAX];
	struct ipsec_view view;
	struct ipsec_flow flow;
};

static struct ipsec_net net(const char *addr, unsigned bits)
{
	return (struct ipsec_net){.addr = ip(addr), .bits = bits};
}

static void set_up(struct world *w)
{
	*w = (struct world){
		.policy = {{.dir = IPSEC_OUT,
			    .src = net(us, 32),
			    .dst = net(them, 32),
			    .priority = 100,
			    .index = 1,
			    .has_esp = true,
			    .reqid = 7},
			   {.dir = IPSEC_IN,
			    .src = net(them, 32),
			    .dst = net(us, 32),
			    .priority = 100,
			    .index = 2,
			    .has_esp = true,
			    .reqid = 7}},
		.state = {{.src = ip(us),
			   .dst = ip(them),
			   .is_esp = true,
			   .is_encrypted = true,
			   .reqid = 7},
			  {.src = ip(them),
			   .dst = ip(us),
			   .is_esp = true,
			   .is_encrypted = true,
			   .reqid = 7}},
		.flow = {.local = ip(us),
			 .peer = ip(them),
			 .proto = UDP,
			 .local_port = 5060,
			 .peer_port = 5060},
	};
	w->view = (struct ipsec_view){.policy = w->policy,
				      .policy_count = 2,
				      .state = w->state,
				      .state_count = 2,
				      .is_known = true};
}

static void right(struct world *w)
{
	(void)w;
}

static void right_all_ports(struct world *w)
{
	w->flow.proto = 0;
	w->flow.local_port = w->flow.peer_port = 0;
}

static void right_local_unknown(struct world *w)
{
	w->flow.local = ip(NULL);
}

static void right_tunnel(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		w->policy[i].is_tunnel = w->state[i].is_tunnel = true;
		w->policy[i].tunnel_src = w->state[i].src =
			ip(i ? "203.0.113.2" : "203.0.113.1");
		w->policy[i].tunnel_dst = w->state[i].dst =
			ip(i ? "203.0.113.1" : "203.0.113.2");
	}
	w->policy[0].dst = w->policy[1].src = net("198.51.100.0", 24);
}

static void right_any_reqid(struct world *w)
{
	w->policy[0].reqid = w->policy[1].reqid = 0;
}

static void right_exact_port(struct world *w)
{
	w->policy[0].proto = w->policy[1].proto = UDP;
	w->policy[0].dst.port = w->policy[1].src.port = 5060;
	w->policy[0].dst.port_mask = w->policy[1].src.port_mask = 0xffff;
}

static void right_blocked_part(struct world *w)
{
	right_all_ports(w);
	w->policy[2] = w->policy[0];
	w->policy[2].is_block = true;
	w->policy[2].has_esp = false;
	w->policy[2].priority = 1;
	w->policy[2].proto = TCP;
	w->view.policy_count = 3;
}

static void unread(struct world *w)
{
	w->view.is_known = false;
}

static void nothing(struct world *w)
{
	w->view.policy_count = w->view.state_count = 0;
}

static void states_without_policy(struct world *w)
{
	w->view.policy_count = 0;
}

static void out_only(struct world *w)
{
	w->view.policy_count = 1;
}

static void optional(struct world *w)
{
	w->policy[0].is_optional = true;
}

static void ah_only(struct world *w)
{
	w->policy[1].has_esp = false;
}

static void other_peer(struct world *w)
{
	w->flow.peer = ip("198.51.100.2");
}

static void other_family(struct world *w)
{
	w->flow.peer = ip("2001:db8::1");
}

static void bypass_before(struct world *w)
{
	w->policy[2] = w->policy[0];
	w->policy[2].has_esp = false;
	w->policy[2].priority = 99;
	w->view.policy_count = 3;
}

static void bypass_of_one_port(struct world *w)
{
	right_all_ports(w);
	bypass_before(w);
	w->policy[2].dst.port = 5060;
	w->policy[2].dst.port_mask = 0xffff;
}

static void one_port_only(struct world *w)
{
	right_exact_port(w);
	right_all_ports(w);
}

static void blocked(struct world *w)
{
	w->policy[0].is_block = true;
}

static void state_out_gone(struct world *w)
{
	w->state[0] = w->state[1];
}

static void state_out_expired(struct world *w)
{
	w->state[0].is_dead = true;
}

static void state_in_gone(struct world *w)
{
	w->view.state_count = 1;
}

static void state_other_reqid(struct world *w)
{
	w->state[1].reqid = 8;
}

static void null_cipher(struct world *w)
{
	w->state[1].is_encrypted = false;
}

static void other_mode(struct world *w)
{
	w->state[0].is_tunnel = true;
}

static const struct {
	const char *name;
	void (*change)(struct world *w);
	enum ipsec_verdict want;
} rows[] = {
#define ROW(f, v)        \
	{                \
#f, f, v \
	}
	ROW(right, IPSEC_PROTECTED),
	ROW(right_all_ports, IPSEC_PROTECTED),
	ROW(right_local_unknown, IPSEC_PROTECTED),
	ROW(right_tunnel, IPSEC_PROTECTED),
	ROW(right_any_reqid, IPSEC_PROTECTED),
	ROW(right_exact_port, IPSEC_PROTECTED),
	ROW(right_blocked_part, IPSEC_PROTECTED),
	ROW(unread, IPSEC_UNKNOWN),
	ROW(nothing, IPSEC_NO_POLICY_OUT),
	ROW(states_without_policy, IPSEC_NO_POLICY_OUT),
	ROW(out_only, IPSEC_NO_POLICY_IN),
	ROW(optional, IPSEC_NO_POLICY_OUT),
	ROW(ah_only, IPSEC_NO_POLICY_IN),
	ROW(other_peer, IPSEC_NO_POLICY_OUT),
	ROW(other_family, IPSEC_NO_POLICY_OUT),
	ROW(bypass_before, IPSEC_NO_POLICY_OUT),
	ROW(bypass_of_one_port, IPSEC_NO_POLICY_OUT),
	ROW(one_port_only, IPSEC_NO_POLICY_OUT),
	ROW(blocked, IPSEC_NO_POLICY_OUT),
	ROW(state_out_gone, IPSEC_NO_STATE_OUT),
	ROW(state_out_expired, IPSEC_NO_STATE_OUT),
	ROW(state_in_gone, IPSEC_NO_STATE_IN),
	ROW(state_other_reqid, IPSEC_NO_STATE_IN),
	ROW(null_cipher, IPSEC_NO_STATE_IN),
	ROW(other_mode, IPSEC_NO_STATE_OUT),
};

START_TEST(an_address_is_protected_as_its_row_says)
{
	static struct world w;

	set_up(&w);
	rows[_i].change(&w);
	ck_assert_msg(ipsec_judge(&w.view, &w.flow) == rows[_i].want, "%s: %s",
		      rows[_i].name,
		      ipsec_verdict_str(ipsec_judge(&w.view, &w.flow)));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ipsec");

	tcase_add_loop_test(tc, an_address_is_protected_as_its_row_says, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	return run_case("authz/ipsec", tc);
}
