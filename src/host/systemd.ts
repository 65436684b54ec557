/** A listening socket that systemd has opened for us. */
export interface InheritedSocket {
  readonly fd: number
  /** `FileDescriptorName=` of the socket unit. */
  readonly name: string
}

// sd_listen_fds(3): passed descriptors begin behind standard error.
const firstDescriptor = 3

/**
 * The sockets passed by socket activation (sd_listen_fds(3)): those of `LISTEN_FDS`, if `LISTEN_PID` is this process.
 * A process started by one that was activated inherits the variables but not the meaning.
 */
export function listInheritedSockets (env: NodeJS.ProcessEnv, pid: number): readonly InheritedSocket[] {
  if (env['LISTEN_PID'] !== String(pid)) return []
  const count = Number(env['LISTEN_FDS'] ?? '0')
  if (!Number.isInteger(count) || count < 1) return []
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':')
  return Array.from({ length: count }, (_, index) => ({ fd: firstDescriptor + index, name: names[index] ?? '' }))
}
