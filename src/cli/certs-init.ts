import { join } from 'node:path'
import type * as Certificates from '../tls/certificates.ts'
import { UsageError, parseArguments } from './args.ts'
import { type AuthorityFiles, FileProblem, formatEnd, listExisting, writeFiles } from './certificate-files.ts'
import {
  type CertificatePlan, type CertificateRequest, certificateFlags, prepareAuthority, quotePath, readCertificateRequest,
} from './certificate-request.ts'
import type { ActionHelp, Flags } from './help.ts'

const flags = {
  host: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    required: true,
    description: 'a name or IP address by which clients reach the gateway; a wildcard is the whole first label, ' +
      '\'*.plant.example\'',
  },
} as const satisfies Flags

/** What there is to say about `acr-egress certs init`. */
export const initHelp = {
  summary: 'make the authority and the certificate of the gateway, or renew the latter',
  paragraphs: [
    'Makes a certificate authority and a server certificate. Writes four files:',
    [
      ['ca.crt', 'the authority, valid for 10 years: what devices are told to trust'],
      ['ca.key', 'its key: the gateway does not need it; keep it away from the gateway'],
      ['server.crt', 'the gateway\'s certificate and the authority\'s'],
      ['server.key', 'its key'],
    ],
  ],
  flags,
} as const satisfies ActionHelp

const authorityFiles: AuthorityFiles = {
  certificate: 'ca.crt', key: 'ca.key', title: 'acr-egress CA', trustedBy: 'devices',
}
const files = ['ca.key', 'ca.crt', 'server.key', 'server.crt']

interface ServerRequest extends CertificateRequest {
  readonly hosts: readonly string[]
}

/** `acr-egress certs init`: an authority of one's own, and a certificate of the gateway. */
export function planServer (argv: readonly string[], certificates: typeof Certificates): CertificatePlan {
  const request = readRequest(argv, certificates)
  const { directory } = request
  return { directory, authorityFiles, issue: () => issueServer(request, certificates) }
}

function readRequest (argv: readonly string[], { parseCertificateHost }: typeof Certificates): ServerRequest {
  const given = parseArguments(argv, { flags: { ...certificateFlags, ...flags } })
  const { words } = given
  if (words.length > 0) throw new UsageError(`certs init: ${words.join(' ')} is too much; write each name as --host NAME`)
  const hosts = given.values('host').map((text) => {
    const host = parseCertificateHost(text)
    if (host !== undefined) return host.name
    throw new UsageError(`--host ${text}: neither a DNS name nor an IP address; write a name alone, without scheme, ` +
      'port or brackets, such as gateway.example, *.plant.example, 10.0.0.4 or fd00::4')
  })
  if (hosts.length === 0) {
    throw new UsageError('certs init: --host is missing; write --host NAME for each name or address that clients use for the gateway')
  }
  return { ...readCertificateRequest(given), hosts: [...new Set(hosts)] }
}

async function issueServer (request: ServerRequest, certificates: typeof Certificates): Promise<string> {
  const { directory, hosts, days, force } = request
  const existing = await listExisting(directory, files)
  if (existing.length > 0 && !force) throw new FileProblem(describeExisting(directory, existing))
  const now = new Date()
  const { authority, isKept, contents } = await prepareAuthority(directory, authorityFiles, now, certificates)
  const server = await certificates.issueServerCertificate({ authority, hosts, validDays: days, now })
  await writeFiles(directory, { ...contents, 'server.key': server.keyPem, 'server.crt': server.chainPem })
  return describeUse(request, authority.certificatePem, server.certificatePem, isKept)
}

function describeExisting (directory: string, existing: readonly string[]): string {
  return `${directory} already holds ${existing.join(', ')}; nothing was written. Write --force to replace the server ` +
    'certificate (an existing authority is used again), or choose another --dir'
}

function describeUse (request: ServerRequest, authorityPem: string, serverPem: string, isKept: boolean): string {
  const { directory, hosts } = request
  const path = (name: string): string => quotePath(join(directory, name))
  const authorityNote = isKept ? 'kept: devices that trust it need nothing new' : 'new: tell devices to trust it, see below'
  return `In ${directory}:
  ca.crt      the authority, until ${formatEnd(authorityPem)} (${authorityNote})
  ca.key      its key; the gateway does not need it, so move it to a safe place
  server.crt  for ${hosts.join(', ')}, until ${formatEnd(serverPem)}
  server.key  its key; the user that the gateway runs as must be able to read it

In the gateway's configuration; a gateway that has it already takes the new files by itself:

listen:
  tls:
    certFile: ${path('server.crt')}
    keyFile: ${path('server.key')}

On each client, copy ca.crt there and let the system trust it:

  Debian, Ubuntu      sudo cp ca.crt /usr/local/share/ca-certificates/acr-egress.crt && sudo update-ca-certificates
  podman, skopeo      as above
  docker, containerd  as above, then: sudo systemctl restart docker containerd
  Windows             certutil -addstore -f Root ca.crt     (as administrator)

or have docker, podman or skopeo trust it for one registry only, and the proxy on the way there:

  docker              sudo install -D -m 644 ca.crt /etc/docker/certs.d/REGISTRY/acr-egress.crt
  podman, skopeo      sudo install -D -m 644 ca.crt /etc/containers/certs.d/REGISTRY/acr-egress.crt
`
}
