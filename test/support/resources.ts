const kinds = [
  'TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'UDPWrap', 'Timeout', 'GetAddrInfoReqWrap', 'QueryReqWrap',
]

/** How many sockets, timers and questions under way keep this process alive, whoever they belong to. */
export function countResources (): number {
  return process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind)).length
}
