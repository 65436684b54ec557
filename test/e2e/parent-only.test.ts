import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { builtCommandWords } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { runInNamespace } from '../support/network-namespace.ts'

const skip = describeMissing(['unshare', 'ip', 'nft', 'curl', 'python3'])
const registry = '20.1.2.3'
const parent = '10.9.9.9'

/** A parent that says the bytes of its first argument to whoever comes, and hangs up if there are any. */
const parentProgram = `
import socket, sys
says = sys.argv[1].encode().decode('unicode_escape').encode('latin1')
server = socket.create_server(('${parent}', 3128), reuse_port=True)
open('ready', 'w').close()
kept = []
while True:
    client, _ = server.accept()
    kept.append(client)
    if says:
        client.recv(65536)
        client.sendall(says)
        client.close()
`

/** What parents say, besides none that is there. */
const sayings: Readonly<Record<string, string>> = {
  silent: '', refusing: 'HTTP/1.1 403 Forbidden\\r\\n\\r\\n', rubbish: '\\x00\\x01rubbish\\r\\n',
}

function writeConfiguration (folder: string, name: string, more: object): void {
  const hosts = ['contoso.azurecr.io', 'azurecr.io', 'contoso.eastus.data.azurecr.io', 'crl3.digicert.com']
  writeFileSync(join(folder, `${name}.yaml`), stringify({
    registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'] }],
    bundles: ['revocation'],
    listen: { address: '127.0.0.1', port: 8443 },
    // All there is to know for whoever wants to go past the parent.
    dns: { servers: ['10.5.3.1'], hosts: Object.fromEntries(hosts.map((host) => [host, [registry]])) },
    tunnel: { connectTimeout: '500ms' },
    ...more,
  }))
}

t.test('with a parent no packet leaves for a registry or a name server, whatever becomes of the parent', { skip }, async (t) => {
  const folder = t.testdir({ 'parent.py': parentProgram })
  writeConfiguration(folder, 'parent', { upstreamProxy: { url: `http://${parent}:3128` } })
  writeConfiguration(folder, 'gateway', { upstreamProxy: { url: `http://${parent}:3128`, resolve: 'gateway' } })
  writeConfiguration(folder, 'direct', {})
  const command = builtCommandWords.join(' ')
  const { code, stdout, stderr } = runInNamespace(`
    cd ${folder}
    exec 3>&1 1>setup.log 2>&1
    trap 'exit 1' TERM
    trap 'kill -KILL $gateway $server || true' EXIT
    ip link set lo up
    for address in ${registry} ${parent} 10.5.3.1; do ip address add $address/32 dev lo; done
    nft -f - <<END
      table inet watch {
        counter past {}
        counter names {}
        chain out {
          type filter hook output priority 0
          ip daddr ${registry} tcp flags syn / syn,ack counter name past
          meta l4proto { tcp, udp } th dport 53 counter name names
        }
      }
END
    count () { nft list counter inet watch $1 | sed -n 's/.*packets \\([0-9]*\\).*/\\1/p'; }
    ask () {
      ${command} serve --config $1.yaml >gateway.log & gateway=$!
      for try in $(seq 100); do curl -sf http://127.0.0.1:9180/healthz && break; sleep 0.1; done
      curl -s -o out --proxy http://127.0.0.1:8443 -w '%{http_connect} ' https://contoso.azurecr.io/v2/ >&3 || true
      curl -s -m 1 -o out --proxy http://127.0.0.1:8443 http://crl3.digicert.com/a.crl || true
      curl -s -m 1 -o out http://127.0.0.1:9180/api/migration || true
      curl -s -m 1 -o out http://127.0.0.1:9180/readyz || true
      timeout 3 ${command} doctor --config $1.yaml || true
      kill -KILL $gateway; wait $gateway || true
    }
    for resolve in parent gateway; do
      echo -n "$resolve: dead " >&3; ask $resolve
      ${Object.entries(sayings).map(([name, says]) => `
      rm -f ready; python3 parent.py '${says}' & server=$!
      for try in $(seq 100); do test -e ready && break; sleep 0.1; done
      echo -n '${name} ' >&3; ask $resolve
      kill $server; wait $server || true`).join('\n')}
      echo "past: $(count past) names: $(count names)" >&3
    done
    echo -n 'direct: ' >&3; ask direct
    echo "past: $(test $(count past) -gt 3 && echo seen)" >&3
  `, 180_000)
  t.equal(code, 0, stderr)
  // The last line shows that there is something to see.
  t.equal(stdout, [
    'parent: dead 502 silent 504 refusing 502 rubbish 502 past: 0 names: 0',
    'gateway: dead 502 silent 504 refusing 502 rubbish 502 past: 0 names: 0',
    'direct: 502 past: seen',
    '',
  ].join('\n'))
})
