import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { createImage } from '../../../src/lab/image.ts'

const sizes = [1, 100_000, 131_072, 300_001]

function computeDigest (content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

t.test('the manifest names its configuration and layers by what they contain', async t => {
  const image = await createImage({ layers: sizes, seed: 'a' })
  const manifest = JSON.parse(image.manifest.content.toString()) as { config: object, layers: object[] }
  t.equal(image.manifest.digest, computeDigest(image.manifest.content))
  t.match(manifest.config, { digest: image.config.digest, size: image.config.size })
  t.equal(manifest.layers.length, sizes.length)
  for (const [index, layer] of image.layers.entries()) {
    const content = await buffer(layer.open())
    t.equal(content.length, sizes[index])
    t.equal(layer.digest, computeDigest(content))
    t.match(manifest.layers[index], { digest: layer.digest, size: layer.size })
  }
  const config = await buffer(image.config.open())
  t.equal(image.config.digest, computeDigest(config))
  t.match(JSON.parse(config.toString()), { os: 'linux', rootfs: { diff_ids: image.layers.map(({ digest }) => digest) } })
})

t.test('the same seed makes the same image, another seed another', async t => {
  const [first, second, other] = await Promise.all(['a', 'a', 'b'].map(async (seed) =>
    await createImage({ layers: [1000, 1000], seed })))
  t.equal(first?.manifest.digest, second?.manifest.digest)
  t.not(first?.manifest.digest, other?.manifest.digest)
  t.not(first?.layers[0]?.digest, first?.layers[1]?.digest, 'layers of one size differ too')
})

t.test('any part of a blob is the same bytes as in the whole', async t => {
  const image = await createImage({ layers: [300_001], seed: 'a' })
  for (const blob of [...image.layers, image.config]) {
    const whole = await buffer(blob.open())
    const last = blob.size - 1
    for (const [start, end] of [[0, 0], [0, last], [1, 17], [15, 16], [last, last], [77, last]] as const) {
      const part = await buffer(blob.open({ start, end }))
      t.ok(part.equals(whole.subarray(start, end + 1)), `${start}-${end}`)
    }
  }
  const whole = await buffer(image.layers[0]!.open())
  const part = await buffer(image.layers[0]!.open({ start: 131_071, end: 262_200 }))
  t.ok(part.equals(whole.subarray(131_071, 262_201)), 'across pieces')
})

t.test('a layer without a sensible size is refused', async t => {
  for (const size of [0, -1, 1.5, NaN]) await t.rejects(createImage({ layers: [size], seed: 'a' }), RangeError)
})
