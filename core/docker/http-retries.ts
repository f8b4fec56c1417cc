/** A request that a pod took with it is sent to another, where it may be sent twice; as nginx has it. */
export const HTTP_RETRIES: readonly string[] = [
  '  retry-on conn-failure empty-response',
  '  http-request disable-l7-retry if { method POST PATCH LOCK }',
];
