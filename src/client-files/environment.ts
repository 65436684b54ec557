import { trustAuthority } from './authority.ts'
import type { ClientRequest, ClientSetup } from './client-setup.ts'
import { quoteForShell } from './quoting.ts'
import { createCurlStep, listVariablesInBothCases } from './variables.ts'

/** Every program that looks at its environment: for shells, and for whatever a login starts. */
export function createEnvironmentSetup (request: ClientRequest): ClientSetup {
  const trust = trustAuthority(request)
  const entries = listVariablesInBothCases(request)
  return {
    files: [
      {
        path: '/etc/profile.d/acr-egress.sh',
        content: entries.map(({ key, value }) => `export ${key}=${quoteForShell(value)}\n`).join(''),
        merging: { kind: 'whole' },
        mode: 0o644,
      },
      {
        // pam_env(8) takes what stands behind = as it is; the values hold nothing that could be a comment or a quote.
        path: '/etc/environment',
        content: entries.map(({ key, value }) => `${key}=${value}\n`).join(''),
        merging: { kind: 'environment', entries },
        mode: 0o644,
      },
      ...trust.files,
    ],
    steps: [...trust.steps, createCurlStep(request)],
    notes: [
      'Every program that reads these sends all of its https:// here, and is refused what is not the registry\'s. Where only ' +
      'pulls should come here, take the files of docker, containerd or podman.',
      'Services of systemd see neither file.',
      ...trust.notes,
    ],
  }
}
