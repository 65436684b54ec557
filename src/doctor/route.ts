import type { Socket } from 'node:net'
import type { HostName } from '../net/host-name.ts'

/** A way to a host that has been walked once: directly to an address that was judged, or through the proxy. */
export interface Route {
  readonly host: HostName
  /**
   * Opens a connection or tunnel to port 443 of the host; the caller owns it. Rejects with `StepFailure`, or with the
   * signal's reason when it is aborted.
   */
  open (signal: AbortSignal): Promise<Socket>
}
