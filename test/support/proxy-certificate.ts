import { issueAuthority, issueServerCertificate } from '../../src/tls/certificates.ts'

/** What a gateway needs to speak TLS on loopback, in the form that `startGateway` takes, and whom its clients trust. */
export interface ProxyCertificate {
  readonly ca: string
  /** A name it is for, besides 127.0.0.1. */
  readonly name: string
  readonly files: Readonly<Record<string, string>>
}

/** The keys of `listen` that name the files. */
export const tlsKeys = 'tls: { certFile: server.crt, keyFile: server.key }'

const name = 'gateway.example'

/** Issues a certificate for 127.0.0.1 and a name. */
export async function issueProxyCertificate (): Promise<ProxyCertificate> {
  const now = new Date()
  const authority = await issueAuthority({ commonName: 'test', validDays: 1, now })
  const { chainPem, keyPem } = await issueServerCertificate({ authority, hosts: [name, '127.0.0.1'], validDays: 1, now })
  return { ca: authority.certificatePem, name, files: { 'server.crt': chainPem, 'server.key': keyPem } }
}
