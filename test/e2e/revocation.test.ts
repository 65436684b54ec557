import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { builtCommandWords } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { runInNamespace } from '../support/network-namespace.ts'

const skip = describeMissing(['unshare', 'ip', 'openssl', 'curl', 'python3'])
// No configuration lets these names lead to an address that is not public, so the namespace has public ones of its own.
const lists = '192.229.211.108'
const responder = '192.229.221.95'

/** A revoked certificate, its authority's list and OCSP responder, and a gateway with the bundle in front of them. */
function writeScript (folder: string, more: string): string {
  writeFileSync(join(folder, 'config.yaml'), stringify({
    registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'] }],
    bundles: ['revocation'],
    listen: { address: '127.0.0.1', port: 8443 },
    dns: { hosts: { 'crl3.digicert.com': [lists], 'ocsp.digicert.com': [`${responder}:8080`], 'www.microsoft.com': ['10.1.2.3'] } },
  }))
  return `
    cd ${folder}
    ip link set lo up
    for address in ${lists} ${responder}; do ip address add $address/32 dev lo; done
    exec 3>&1 1>setup.log 2>&1
    printf '[ca]\\ndefault_ca=c\\n[c]\\ndatabase=index.txt\\nserial=serial\\nnew_certs_dir=.\\ndefault_md=sha256\\npolicy=p\\ndefault_days=9\\n' >ca.conf
    printf 'default_crl_days=9\\n[p]\\ncommonName=supplied\\n' >>ca.conf
    : >index.txt; echo 01 >serial
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=authority -days 9
    openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=contoso.azurecr.io
    openssl ca -batch -config ca.conf -keyfile ca.key -cert ca.crt -in leaf.csr -out leaf.crt
    openssl ca -config ca.conf -keyfile ca.key -cert ca.crt -revoke leaf.crt
    mkdir www
    openssl ca -config ca.conf -keyfile ca.key -cert ca.crt -gencrl | openssl crl -outform DER -out www/list.crl
    python3 -m http.server 80 --bind ${lists} --directory www & lists=$!
    openssl ocsp -port 8080 -index index.txt -CA ca.crt -rkey ca.key -rsigner ca.crt & responder=$!
    ${builtCommandWords.join(' ')} serve --config config.yaml >gateway.log & gateway=$!
    trap 'kill $lists $responder $gateway || true' EXIT
    for try in $(seq 100); do
      curl -sf http://127.0.0.1:9180/healthz && curl -s -o /dev/null http://${lists}/ && grep -q 'waiting for OCSP' setup.log && break; sleep 0.1
    done
    exec 1>&3 2>&1
    proxy=127.0.0.1:8443
    ${more}`
}

t.test('a revocation list and an OCSP answer come through the gateway to real clients', { skip }, async (t) => {
  const folder = t.testdir({})
  const { code, stdout } = runInNamespace(writeScript(folder, `
    http_proxy=http://$proxy curl -sSf -o fetched.crl http://crl3.digicert.com/list.crl
    cmp fetched.crl www/list.crl && echo the same list
    openssl ocsp -url http://ocsp.digicert.com/ -proxy $proxy -issuer ca.crt -cert leaf.crt -CAfile ca.crt || true
    for url in http://www.microsoft.com/pkiops/crl/x.crl http://contoso.azurecr.io/v2/ http://evil.example/; do
      curl -s --proxy http://$proxy -o /dev/null -w '%{http_code} ' $url
    done
    curl -s --proxy http://$proxy -X PUT http://crl3.digicert.com/ -o /dev/null -w '%{http_code}\\n'
    curl -s http://127.0.0.1:9180/metrics | grep -E 'class="revocation".*closed' `))
  t.equal(code, 0, stdout)
  t.match(stdout, 'the same list')
  t.match(stdout, 'leaf.crt: revoked')
  t.match(stdout, '403 405 405 405', 'a private address, a registry, a stranger, another method')
  t.match(stdout, /acr_egress_tunnels_total\{registry="",class="revocation",outcome="closed"\} 2/)
})
