import { spawnSync } from 'node:child_process'

/** What a script in a network of its own has written when it is over. */
export interface NamespaceRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const defaultTimeoutMs = 60_000
const namespaces = ['--map-root-user', '--net', '--mount']

/**
 * Runs a shell script as root of user, network and mount namespaces of its own, with no interface but a loopback that
 * is down, and an empty packet filter. Ends at the first command that fails. Throws when there is no such namespace
 * to be had: a test that needs one must not pass without it.
 */
export function runInNamespace (script: string, timeoutMs = defaultTimeoutMs): NamespaceRun {
  const probe = spawnSync('unshare', [...namespaces, 'true'], { encoding: 'utf8' })
  if (probe.status !== 0) {
    throw new Error(`no user and network namespace is to be had here (${probe.error?.message ?? probe.stderr.trim()}); ` +
      'run the tests as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, ' +
      'kernel.apparmor_restrict_unprivileged_userns=0; in a container, a seccomp profile that has unshare)')
  }
  const words = [...namespaces, 'sh', '-ec', `PATH="$PATH:/usr/sbin:/sbin"\n${script}`]
  const { status, stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8', timeout: timeoutMs })
  return { code: status, stdout, stderr }
}
