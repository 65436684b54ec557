import type { ClientFile, ClientRequest, Step } from './client-setup.ts'

/** Where Debian and Ubuntu look for authorities that a machine is to trust. */
const path = '/usr/local/share/ca-certificates/acr-egress.crt'

/** What makes a client trust the gateway's certificate, for `https://` proxy URLs; nothing when no authority is given. */
export function trustAuthority ({ proxy, authorityPem }: ClientRequest): {
  readonly files: readonly ClientFile[]
  readonly steps: readonly Step[]
  readonly notes: readonly string[]
} {
  if (authorityPem === undefined) {
    const notes = proxy.scheme === 'http'
      ? []
      : ['The client must trust the authority of the gateway\'s certificate; --ca FILE adds it, with the ca.crt of acr-egress certs.']
    return { files: [], steps: [], notes }
  }
  return {
    files: [{ path, content: authorityPem, merging: { kind: 'whole' }, mode: 0o644 }],
    steps: [{ command: 'sudo update-ca-certificates', expect: '1 added' }],
    notes: [
      'On Red Hat and its kin the authority\'s file goes to /etc/pki/ca-trust/source/anchors/acr-egress.crt, and the command is update-ca-trust.',
    ],
  }
}
