import type { ClientFile, Entry } from './client-setup.ts'
import { quoteForUnit } from './quoting.ts'

/**
 * A drop-in that gives a service of systemd these variables. Not closed to other users: systemd shows the environment
 * of a service to everybody anyway (`systemctl show`), and warns of a unit's file that only root can read.
 */
export function createDropIn (
  service: string, variables: readonly Entry[], comments: readonly string[] = [],
): Omit<ClientFile, 'choice'> {
  const lines = [
    ...comments.map((comment) => `# ${comment}`),
    '[Service]',
    ...variables.map(({ key, value }) => `Environment=${quoteForUnit(`${key}=${value}`)}`),
  ]
  return {
    path: `/etc/systemd/system/${service}.service.d/http-proxy.conf`,
    content: `${lines.join('\n')}\n`,
    merging: { kind: 'whole' },
    mode: 0o644,
  }
}
