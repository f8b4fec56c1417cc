import { contentHash } from '#core/hash.ts';

/**
 * Counts the bodies of which nothing was said before, which HAProxy cannot do by itself. A filter's error is all that ends a
 * request with an answer; what comes after an upgrade is no body.
 */
const LUA = `local BodySize = { flags = filter.FLT_CFG_FL_HTX }
BodySize.__index = BodySize

function BodySize:new()
  return setmetatable({ most = self.most, seen = 0 }, BodySize)
end

function BodySize:start_analyze(txn, channel)
  if channel:is_resp() or txn.f:req_fhdr("content-length") then return end
  if txn.f:req_fhdr("upgrade") and not txn.f:req_fhdr("transfer-encoding") then return end
  filter.register_data_filter(self, channel)
end

function BodySize:http_payload(txn, message)
  self.seen = self.seen + message:input()
  if self.seen > self.most then
    txn:set_var("txn.too_large", true)
    error("the body is larger than proxy-body-size", 0)
  end
end

core.register_filter("body-size", BodySize, function(limit, arguments)
  limit.most = tonumber(arguments[1])
  return limit
end)
`;

/** What HAProxy loads where a body's size is limited. */
export const BODY_SIZE_FILE = { file: `body-size-${contentHash(LUA)}.lua`, text: LUA };

/** Of a backend: 413 for what is larger, at once where its length is told, else when so much has come. */
export function bodySizeLines(bytes: number): string[] {
  return [
    `  http-request deny deny_status 413 if { req.hdr_val(content-length) gt ${bytes} }`,
    `  filter lua.body-size ${bytes}`,
    '  http-after-response set-status 413 if { var(txn.too_large) -m bool }',
    "  http-error status 400 content-type text/plain string 'The body is malformed, or larger than it may be.'",
  ];
}
