import { copyFile, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { listenOnLoopback } from '../../src/lab/loopback.ts'
import { runCommand } from '../support/command-run.ts'
import { missingFiles, publishedFiles } from '../support/service-tag-files.ts'

const { public20250714: older, public20250721: newer, public20251028: latest } = publishedFiles

t.test('of two weeks of Microsoft\'s the difference is that of an independent count', { skip: missingFiles }, async (t) => {
  const { code, stdout } = await runCommand(t, ['tags', 'diff', older, newer])
  t.equal(code, 0)
  t.match(stdout, /^AzureContainerRegistry: 8 added, 4 removed\n(?: {2}\+ \S+\n){8}(?: {2}- \S+\n){4}Storage: 2 added, 3 removed\n/)
})

t.test('a real file takes the place of an older one byte for byte, and is left alone the second time', { skip: missingFiles }, async (t) => {
  const content = await readFile(newer)
  const { port, close } = await listenOnLoopback(createServer((_request, response) => response.end(content)))
  t.teardown(close)
  const file = join(t.testdir({}), 'service-tags.json')
  await copyFile(older, file)
  const argv = ['tags', 'refresh', '--json', '--file', file, '--from', `http://127.0.0.1:${port}/`]
  const first = JSON.parse((await runCommand(t, argv)).stdout)
  t.match(first, { result: 'replaced', changes: [{ tag: 'AzureContainerRegistry' }, { tag: 'Storage' }] })
  t.same([first.changes[0].added.length, first.changes[0].removed.length], [8, 4])
  t.ok(content.equals(await readFile(file)))
  t.match(JSON.parse((await runCommand(t, argv)).stdout), { result: 'same', changes: [] })
})

t.test('the numbers of prefixes are those that the documents speak of', { skip: missingFiles }, async (t) => {
  const { tag, ipv4, ipv6, changeNumber } = JSON.parse((await runCommand(t, ['tags', 'show', 'azurecontainerregistry', '--json', '--file', latest])).stdout)
  t.same([tag, ipv4, ipv6, changeNumber], ['AzureContainerRegistry', 590, 556, 96])
  t.equal((await runCommand(t, ['tags', 'show', '--file', latest])).stdout.split('\n').length, 3040)
  // Microsoft's own property says germanywc here; endpoints have the region of the name.
  t.match((await runCommand(t, ['tags', 'show', 'AzureContainerRegistry.GermanyWestCentral', '--file', latest])).stdout, /: region germanywestcentral, /)
})
