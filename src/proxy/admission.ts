import { clientKey } from '../net/client-key.ts'
import type { CutSignal } from '../net/cut-signal.ts'
import type { Policy } from '../policy/policy.ts'
import type { TunnelRecord } from '../telemetry/tunnel-log.ts'
import type { PasswordCheck } from '../users/password-check.ts'
import type { Client } from './client.ts'
import { permit } from './failure.ts'
import type { SetupRates } from './setup-rates.ts'

/** What decides on clients beside the policy. */
export interface AdmissionServices {
  /** How often each client may ask. */
  readonly setupRates: SetupRates
  /** Who a client is, by what it sends; absent where nobody is asked. */
  readonly decideUser?: PasswordCheck['decide']
}

/** A request, as far as it says who asks. */
export interface Asking {
  readonly client: Client
  /** The value of `Proxy-Authorization`, where there is one; a secret. */
  readonly authorization: string | undefined
  readonly policy: Policy
  readonly record: TunnelRecord
}

/**
 * Lets a client ask, whatever it asks for: by its certificate, its address, how often it asks, and who it says it is.
 * Who shows no certificate learns nothing else; of the rest what costs least comes first. Rejects with `TunnelFailure`
 * when it may not.
 */
export async function admitClient (
  { client, authorization, policy, record }: Asking, signal: CutSignal, { setupRates, decideUser }: AdmissionServices,
): Promise<void> {
  permit(client.certificate)
  permit(policy.decideClient(client.address))
  permit(setupRates.admit(clientKey(client.address)))
  if (decideUser === undefined) return
  record.authenticated(permit(await decideUser(client.address, authorization, signal)).user)
}
