import { join } from 'node:path'
import type * as Certificates from '../tls/certificates.ts'
import { UsageError, parseArguments } from './args.ts'
import { type AuthorityFiles, FileProblem, formatEnd, listExisting, writeFiles } from './certificate-files.ts'
import {
  type CertificatePlan, type CertificateRequest, certificateFlags, prepareAuthority, quotePath, readCertificateRequest,
} from './certificate-request.ts'
import type { ActionHelp, Flags } from './help.ts'

const flags = {
  name: {
    type: 'string',
    value: 'NAME',
    required: true,
    description: 'what the client is called in the gateway\'s log, and its files here; letters, digits, and . _ - within',
  },
} as const satisfies Flags

/** What there is to say about `acr-egress certs client`. */
export const clientHelp = {
  summary: 'make a certificate for a client, where clients must have one',
  paragraphs: [
    'Makes a certificate for one client, by an authority that issues nothing else, so that what devices trust as a ' +
      'server is not what the gateway trusts as a client. Writes:',
    [
      ['client-ca.crt', 'the authority of clients, valid for 10 years: listen.tls.clientCaFile of the gateway'],
      ['client-ca.key', 'its key: neither the gateway nor a client needs it'],
      ['client-NAME.crt', 'the client\'s certificate'],
      ['client-NAME.key', 'its key'],
    ],
  ],
  flags,
} as const satisfies ActionHelp

const authorityFiles: AuthorityFiles = {
  certificate: 'client-ca.crt', key: 'client-ca.key', title: 'acr-egress client CA', trustedBy: 'the gateway',
}

interface ClientRequest extends CertificateRequest {
  readonly name: string
}

/** `acr-egress certs client`: a certificate for one client, by an authority of clients. */
export function planClient (argv: readonly string[], certificates: typeof Certificates): CertificatePlan {
  const request = readRequest(argv)
  const { directory } = request
  return { directory, authorityFiles, issue: () => issueClient(request, certificates) }
}

// A certificate's name has 64 characters at most (RFC 5280 appendix A.1).
const namePattern = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/i

function readRequest (argv: readonly string[]): ClientRequest {
  const given = parseArguments(argv, { flags: { ...certificateFlags, ...flags } })
  const { words } = given
  if (words.length > 0) throw new UsageError(`certs client: ${words.join(' ')} is too much; write --name NAME, once`)
  const name = given.value('name')
  if (name === undefined) throw new UsageError('certs client: --name is missing; write --name NAME, as the client is to be called in the log')
  if (!namePattern.test(name)) {
    throw new UsageError(`--name ${name}: write 1 to 64 letters and digits, with . _ - between them, such as line1.plant`)
  }
  // The authority has these names.
  if (name.toLowerCase() === 'ca') throw new UsageError('--name ca: that is the authority; write another name')
  return { ...readCertificateRequest(given), name }
}

async function issueClient (request: ClientRequest, certificates: typeof Certificates): Promise<string> {
  const { directory, name, days, force } = request
  const [keyFile, certFile] = [`client-${name}.key`, `client-${name}.crt`]
  const existing = await listExisting(directory, [keyFile, certFile])
  if (existing.length > 0 && !force) {
    throw new FileProblem(`${directory} already holds ${existing.join(', ')}; nothing was written. Write --force to ` +
      'replace it by a new certificate, or choose another --name')
  }
  const now = new Date()
  const { authority, isKept, contents } = await prepareAuthority(directory, authorityFiles, now, certificates)
  const client = await certificates.issueClientCertificate({ authority, commonName: name, validDays: days, now })
  await writeFiles(directory, { ...contents, [keyFile]: client.keyPem, [certFile]: client.certificatePem })
  return describeUse(request, authority.certificatePem, client.certificatePem, isKept)
}

function describeUse (
  { directory, name }: ClientRequest, authorityPem: string, clientPem: string, isKept: boolean,
): string {
  const authorityNote = isKept ? 'kept: the gateway need not be told anew' : 'new: tell the gateway, see below'
  const files = [
    ['client-ca.crt', `the authority of clients, until ${formatEnd(authorityPem)} (${authorityNote})`],
    ['client-ca.key', 'its key; neither the gateway nor a client needs it, so move it to a safe place'],
    [`client-${name}.crt`, `for ${name}, until ${formatEnd(clientPem)}`],
    [`client-${name}.key`, 'its key; for this client alone'],
  ] as const
  const width = Math.max(...files.map(([file]) => file.length))
  return `In ${directory}:
${files.map(([file, what]) => `  ${file.padEnd(width)}  ${what}`).join('\n')}

In the gateway's configuration, with certFile and keyFile; nobody is served without a certificate from then on:

listen:
  tls:
    clientCaFile: ${quotePath(join(directory, 'client-ca.crt'))}

On the client, with https:// in its proxy URL, for each registry that it pulls from:

  docker          sudo install -D -m 644 client-${name}.crt /etc/docker/certs.d/REGISTRY/client.cert
                  sudo install -D -m 600 client-${name}.key /etc/docker/certs.d/REGISTRY/client.key
  podman, skopeo  the same in /etc/containers/certs.d/REGISTRY, or ~/.config/containers/certs.d/REGISTRY of a user
  containerd      in /etc/containerd/certs.d/REGISTRY/hosts.toml: client = [["FILE.crt", "FILE.key"]]
  curl            --proxy-cert client-${name}.crt --proxy-key client-${name}.key

docs/tls.md says more, and what to do for clients that have no setting for it.
`
}
