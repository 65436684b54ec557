import type { Address } from '../net/address.ts'
import type { CertificateDecision } from './client-certificate.ts'

/** Who asks. */
export interface Client {
  readonly address: Address
  readonly port: number
  /** What it has shown of itself, where the listener asks for that. */
  readonly certificate: CertificateDecision
}
