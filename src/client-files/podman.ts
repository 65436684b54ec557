import { trustAuthority } from './authority.ts'
import type { ClientRequest, ClientSetup } from './client-setup.ts'
import { quoteForShell, quoteForToml } from './quoting.ts'
import { createCurlStep, listVariables } from './variables.ts'

/** podman and buildah: a file of containers.conf(5). They have no daemon, so that nothing is to be restarted. */
export function createPodmanSetup (request: ClientRequest): ClientSetup {
  const trust = trustAuthority(request)
  const assignments = listVariables(request).map(({ key, value }) => `${key}=${value}`)
  const inShell = listVariables(request).map(({ key, value }) => `${key}=${quoteForShell(value)}`).join(' ')
  return {
    files: [
      {
        path: '/etc/containers/containers.conf.d/acr-egress.conf',
        content: `[engine]\nenv = [\n${assignments.map((text) => `  ${quoteForToml(text)},\n`).join('')}]\n`,
        merging: { kind: 'whole' },
        // Users without privileges pull too.
        mode: 0o644,
      },
      ...trust.files,
    ],
    steps: [
      ...trust.steps,
      { command: `podman pull ${request.loginServer}/IMAGE:TAG` },
      { command: `${inShell} podman pull ${request.loginServer}/IMAGE:TAG`, expect: 'the same without the file; also skopeo, which does not read it' },
      createCurlStep(request),
    ],
    notes: [
      'env of another file that is read later takes the place of this one; put all variables into one list then.',
      'podman hands its proxy variables on to containers, with a password in them. http_proxy = false under [containers] keeps them to podman.',
      ...trust.notes,
    ],
  }
}
