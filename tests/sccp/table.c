/* The messages of SCCP: who sends them, and the layout of those that the peers
 * read or write. Names are the field's own. "<version" after a type: before
 * that version only. */
#include "wire.h"

#include <string.h>

#define KEY_INFO                                                         \
	" algorithm:u32 keyLen:u16 saltLen:u16 key:b16 salt:b16 mki:u32" \
	" keyDerivationRate:u32"
#define STREAM_TAIL \
	" streamId:u32 associatedStreamId:u32 rfc2833:u32 dtmfType:u32"
#define LATENT " latentCaps:b36@21"
#define CHANNEL_END                                                 \
	"conferenceId:u32 passThroughPartyId:u32 callReference:u32" \
	" portHandling:u32"

static const struct wire_row table[] = {
	{0x0000, DIR_PHONE, "KeepAlive", ""},
	{0x0001, DIR_PHONE, "Register",
	 "deviceName:s16 userId:u32 instance:u32 ip:ip4 deviceType:u32"
	 " maxStreams:u32 activeStreams:u32 protocolVer:u8 features0:u8"
	 " features1:u8 features2:u8 maxConferences:u32 activeConferences:u32"
	 " mac:b12 ipScope:u32 maxLines:u32 ip6:b16 ip6Scope:u32 load:s32"
	 " configStamp:s48"},
	{0x0002, DIR_PHONE, "IpPort", "port:u32"},
	{0x0003, DIR_PHONE, "KeypadButton",
	 "button:u32 line:u32 callReference:u32"},
	{0x0004, DIR_PHONE, "EnblocCall", "calledParty:s24 line:u32"},
	{0x0005, DIR_PHONE, "Stimulus",
	 "stimulus:u32 line:u32 callReference:u32 status:u32"},
	{0x0006, DIR_PHONE, "OffHook", "line:u32 callReference:u32"},
	{0x0007, DIR_PHONE, "OnHook", "line:u32 callReference:u32"},
	{0x0008, DIR_PHONE, "HookFlash", "line:u32 callReference:u32"},
	{0x0009, DIR_PHONE, "ForwardStatReq", "line:u32"},
	{0x000A, DIR_PHONE, "SpeedDialStatReq", "number:u32"},
	{0x000B, DIR_PHONE, "LineStatReq", "line:u32"},
	{0x000C, DIR_PHONE, "ConfigStatReq", ""},
	{0x000D, DIR_PHONE, "TimeDateReq", ""},
	{0x000E, DIR_PHONE, "ButtonTemplateReq", ""},
	{0x000F, DIR_PHONE, "VersionReq", ""},
	{0x0010, DIR_PHONE, "CapabilitiesRes", "count:u32 caps:b288"},
	{0x0012, DIR_PHONE, "ServerReq", ""},
	{0x0020, DIR_PHONE, "Alarm",
	 "severity:u32 text:s80 parm1:u32 parm2:u32"},
	{0x0021, DIR_PHONE, "MulticastMediaReceptionAck",
	 "status:u32 passThroughPartyId:u32 callReference:u32"},
	{0x0022, DIR_PHONE, "OpenReceiveChannelAck",
	 "status:u32 ip:ipf port:u32 passThroughPartyId:u32"
	 " callReference:u32"},
	{0x0023, DIR_PHONE, "ConnectionStatisticsRes",
	 "dn:s24<18 dn:s28@18 callReference:u32 mode:u32<18 mode:u8@18"
	 " packetsSent:u32 octetsSent:u32 packetsReceived:u32"
	 " octetsReceived:u32 packetsLost:u32 jitter:u32 latency:u32"
	 " quality:dyn"},
	{0x0025, DIR_PHONE, "SoftKeySetReq", ""},
	{0x0026, DIR_PHONE, "SoftKeyEvent",
	 "event:u32 line:u32 callReference:u32"},
	{0x0027, DIR_PHONE, "Unregister", "reason:u32"},
	{0x0028, DIR_PHONE, "SoftKeyTemplateReq", ""},
	{0x0029, DIR_PHONE, "RegisterTokenReq",
	 "deviceName:s16 userId:u32 instance:u32 ip:ip4 deviceType:u32"
	 " ip6:b16 unknown:u32"},
	{0x002A, DIR_PHONE, "MediaTransmissionFailure",
	 "conferenceId:u32 passThroughPartyId:u32 ip:ipf port:u32"
	 " callReference:u32"},
	{0x002B, DIR_PHONE, "HeadsetStatus", "status:u32"},
	{0x002C, DIR_PHONE, "MediaResourceNotification", NULL},
	{0x002D, DIR_PHONE, "RegisterAvailableLines", "count:u32"},
	{0x002E, DIR_PHONE, "DeviceToUserData", NULL},
	{0x002F, DIR_PHONE, "DeviceToUserDataResponse", NULL},
	{0x0030, DIR_PHONE, "UpdateCapabilities", NULL},
	{0x0033, DIR_PHONE, "ServiceURLStatReq", "index:u32"},
	{0x0034, DIR_PHONE, "FeatureStatReq", "index:u32 capabilities:u32"},
	{0x0045, DIR_PHONE, "PortResponse",
	 "conferenceId:u32 callReference:u32 passThroughPartyId:u32 ip:ipf"
	 " port:u32 rtcpPort:u32 mediaType:u32@19"},
	{0x0081, DIR_CM, "RegisterAck",
	 "keepAliveInterval:u32 dateTemplate:s6 pad:u16"
	 " secondaryKeepAlive:u32 protocolVer:u8 features0:u8 features1:u8"
	 " features2:u8"},
	{0x0082, DIR_CM, "StartTone",
	 "tone:u32 direction:u32 line:u32 callReference:u32"},
	{0x0083, DIR_CM, "StopTone", "line:u32 callReference:u32 tone:u32@11"},
	{0x0085, DIR_CM, "SetRinger",
	 "mode:u32 duration:u32 line:u32 callReference:u32"},
	{0x0086, DIR_CM, "SetLamp", "stimulus:u32 line:u32 mode:u32"},
	{0x0088, DIR_CM, "SetSpeakerMode", "mode:u32"},
	{0x0089, DIR_CM, "SetMicroMode", "mode:u32"},
	{0x008A, DIR_CM, "StartMediaTransmission",
	 "conferenceId:u32 passThroughPartyId:u32 ip:ipf port:u32 packetMs:u32"
	 " codec:u32 precedence:u32 silenceSuppression:u32 maxFrames:u32"
	 " rate:u32 callReference:u32" KEY_INFO STREAM_TAIL
	 " mixingMode:u32 partyDirection:u32" LATENT},
	{0x008B, DIR_CM, "StopMediaTransmission", CHANNEL_END},
	{0x008F, DIR_CM, "CallInfo",
	 "callingName:s40 callingNumber:s24 calledName:s40 calledNumber:s24"
	 " line:u32 callReference:u32 callType:u32 originalName:s40"
	 " originalNumber:s24 redirectingName:s40 redirectingNumber:s24"
	 " originalReason:u32 redirectingReason:u32 mailbox1:s24 mailbox2:s24"
	 " mailbox3:s24 mailbox4:s24 instance:u32 security:u32"
	 " restriction:u32"},
	{0x0090, DIR_CM, "ForwardStatRes", NULL},
	{0x0091, DIR_CM, "SpeedDialStatRes", "number:u32 dn:s24 label:s40"},
	{0x0092, DIR_CM, "LineStatRes",
	 "line:u32 dn:s24 name:s40 label:s40 flags:u32"},
	{0x0093, DIR_CM, "ConfigStatRes",
	 "deviceName:s16 userId:u32 instance:u32 userName:s40 serverName:s40"
	 " lines:u32 speedDials:u32"},
	{0x0094, DIR_CM, "TimeDateRes",
	 "year:u32 month:u32 weekDay:u32 day:u32 hour:u32 minute:u32"
	 " second:u32 milliseconds:u32 systemTime:u32"},
	{0x0097, DIR_CM, "ButtonTemplateRes",
	 "offset:u32 count:u32 total:u32 buttons:b84"},
	{0x0098, DIR_CM, "VersionRes", "version:s16"},
	{0x0099, DIR_CM, "DisplayText", "text:s32"},
	{0x009A, DIR_CM, "ClearDisplay", ""},
	{0x009B, DIR_CM, "CapabilitiesReq", ""},
	{0x009D, DIR_CM, "RegisterReject", "text:s32"},
	{0x009E, DIR_CM, "ServerRes",
	 "name1:s48 name2:s48 name3:s48 name4:s48 name5:s48 port1:u32"
	 " port2:u32 port3:u32 port4:u32 port5:u32 ip1:ipf ip2:ipf ip3:ipf"
	 " ip4:ipf ip5:ipf"},
	{0x009F, DIR_CM, "Reset", "type:u32"},
	{0x0100, DIR_CM, "KeepAliveAck", ""},
	{0x0101, DIR_CM, "StartMulticastMediaReception",
	 "conferenceId:u32 passThroughPartyId:u32 ip:ipf port:u32 packetMs:u32"
	 " codec:u32 echo:u32 rate:u32 callReference:u32"},
	{0x0102, DIR_CM, "StartMulticastMediaTransmission",
	 "conferenceId:u32 passThroughPartyId:u32 ip:ipf port:u32 packetMs:u32"
	 " codec:u32 precedence:u32 silenceSuppression:u32 maxFrames:u32"
	 " rate:u32 callReference:u32"},
	{0x0103, DIR_CM, "StopMulticastMediaReception",
	 "conferenceId:u32 passThroughPartyId:u32 callReference:u32"},
	{0x0104, DIR_CM, "StopMulticastMediaTransmission",
	 "conferenceId:u32 passThroughPartyId:u32 callReference:u32"},
	{0x0105, DIR_CM, "OpenReceiveChannel",
	 "conferenceId:u32 passThroughPartyId:u32 packetMs:u32 codec:u32"
	 " echo:u32 rate:u32 callReference:u32" KEY_INFO STREAM_TAIL
	 " mixingMode:u32@10 partyDirection:u32@10 ip:ipf@10 port:u32@10"
	 " ipType:u32@16 audioLevel:u32@21" LATENT},
	{0x0106, DIR_CM, "CloseReceiveChannel", CHANNEL_END},
	{0x0107, DIR_CM, "ConnectionStatisticsReq",
	 "dn:s24<18 dn:s28@18 callReference:u32 mode:u32"},
	{0x0108, DIR_CM, "SoftKeyTemplateRes",
	 "offset:u32 count:u32 total:u32 keys:b640"},
	{0x0109, DIR_CM, "SoftKeySetRes",
	 "offset:u32 count:u32 total:u32 sets:b768"},
	{0x0110, DIR_CM, "SelectSoftKeys",
	 "line:u32 callReference:u32 set:u32 mask:u32"},
	{0x0111, DIR_CM, "CallState",
	 "state:u32 line:u32 callReference:u32 privacy:u32 precedence:u32"
	 " domain:u32"},
	{0x0112, DIR_CM, "DisplayPromptStatus",
	 "timeout:u32 text:s32 line:u32 callReference:u32"},
	{0x0113, DIR_CM, "ClearPromptStatus", "line:u32 callReference:u32"},
	{0x0114, DIR_CM, "DisplayNotify", "timeout:u32 text:s32"},
	{0x0115, DIR_CM, "ClearNotify", ""},
	{0x0116, DIR_CM, "ActivateCallPlane", "line:u32"},
	{0x0117, DIR_CM, "DeactivateCallPlane", ""},
	{0x0118, DIR_CM, "UnregisterAck", "status:u32"},
	{0x011A, DIR_CM, "RegisterTokenAck", ""},
	{0x011B, DIR_CM, "RegisterTokenReject", "waitSeconds:u32"},
	{0x011D, DIR_CM, "DialedNumber",
	 "dn:s24<18 dn:s28@18 line:u32 callReference:u32"},
	{0x011E, DIR_CM, "UserToDeviceData", NULL},
	{0x012F, DIR_CM, "ServiceURLStatRes", "index:u32 url:s256 label:s40"},
	{0x013F, DIR_CM, "UserToDeviceDataVersion1", NULL},
	{0x0145, DIR_CM, "DisplayPromptStatusV2",
	 "timeout:u32 line:u32 callReference:u32 strings:dyn"},
	{0x0147, DIR_CM, "LineStatV2Res", "line:u32 type:u32 strings:dyn"},
	{0x014A, DIR_CM, "CallInfoV2",
	 "line:u32 callReference:u32 callType:u32 originalReason:u32"
	 " redirectingReason:u32 instance:u32 security:u32 restriction:u32"
	 " strings:dyn"},
	{0x014B, DIR_CM, "PortRequest",
	 "conferenceId:u32 callReference:u32 passThroughPartyId:u32"
	 " transport:u32 ipType:u32 mediaType:u32"},
	{0x014C, DIR_CM, "PortClose",
	 "conferenceId:u32 callReference:u32 passThroughPartyId:u32"
	 " mediaType:u32"},
	{0x0154, DIR_PHONE, "StartMediaTransmissionAck",
	 "conferenceId:u32 passThroughPartyId:u32 callReference:u32 ip:ipf"
	 " port:u32 status:u32"},
	{0x8000, DIR_PHONE, "SPCPRegisterTokenReq",
	 "deviceName:s16 userId:u32 instance:u32 ip:ip4 deviceType:u32"
	 " maxStreams:u32"},
	{0x8100, DIR_CM, "SPCPRegisterTokenAck", "features:u32"},
	{0x8101, DIR_CM, "SPCPRegisterTokenReject", "waitSeconds:u32"},
};

enum { ROWS = sizeof(table) / sizeof(table[0]) };

const struct wire_row *wire_row(uint32_t id)
{
	unsigned low = 0, high = ROWS;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (table[mid].id == id)
			return &table[mid];
		if (table[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const struct wire_row *wire_row_named(const char *name)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}
