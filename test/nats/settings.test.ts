// Guards which of the cluster's settings count on a node, who is a canary, what a name becomes in a subject, and the check of a section.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFollower } from '../../actors/control/follower.js'
import { lineDiff } from '../../cli/ctl/diff.js'
import { createNodeSettings } from '../../cli/node-settings.js'
import { canaryBelow, nodeShare, parseSettings } from '../../protocol/control/settings.js'
import {
  CANARY_KEY,
  controlSubject,
  nameOfToken,
  nodeKey,
  SAMPLING_KEY,
  subjectToken,
} from '../../protocol/subjects.js'
import { checkSampling } from '../../runtime/config/sampling-section.js'
import { parseSection } from '../../runtime/config/section.js'

const value = (warn: number, more: object = {}) => JSON.stringify({ section: { tiers: { warn } }, ...more })
const sectionOf = (json: string | undefined) => (json === undefined ? undefined : JSON.parse(json))

test("a node's own settings count before a canary's, and a canary's before everyone's", () => {
  const follower = createFollower('n1', 'prod')
  assert.deepEqual(follower.wanted(0), { key: '', revision: 0 })
  follower.take({ key: SAMPLING_KEY, revision: 1, text: value(0.1) })
  assert.equal(follower.wanted(0).revision, 1)
  follower.take({ key: CANARY_KEY, revision: 2, text: value(0.2, { at: 'a', below: 1, untilMs: 1000 }) })
  assert.equal(follower.wanted(0).revision, 2)
  follower.take({ key: nodeKey('n1'), revision: 3, text: value(0.3) })
  assert.deepEqual(follower.wanted(0).revision, 3)
  follower.take({ key: nodeKey('n1'), revision: 4 })
  follower.take({ key: CANARY_KEY, revision: 5 })
  assert.deepEqual(sectionOf(follower.wanted(0).sampling), { tiers: { warn: 0.1 } })
})

test('who wrote what counts, or deleted what counted, is known', () => {
  const follower = createFollower('n1', 'prod')
  follower.take({ key: SAMPLING_KEY, revision: 1, text: value(0.1, { by: 'ann@host' }) })
  follower.take({ key: nodeKey('n1'), revision: 2, text: value(0.2, { by: 'bob@host' }) })
  const origin = () => ({ ...follower.wanted(0), sampling: undefined })
  assert.deepEqual(origin(), { key: nodeKey('n1'), revision: 2, by: 'bob@host', sampling: undefined })
  follower.take({ key: nodeKey('n1'), revision: 3, deletedBy: 'eve@host' })
  const first = { key: SAMPLING_KEY, revision: 1, by: 'ann@host', sampling: undefined }
  const deleted = { key: nodeKey('n1'), revision: 3, by: 'eve@host' }
  assert.deepEqual(origin(), { ...first, deleted })
  follower.take({ key: SAMPLING_KEY, revision: 4, deletedBy: 'ann@host' })
  assert.deepEqual(origin(), {
    key: '',
    revision: 0,
    deleted: { key: SAMPLING_KEY, revision: 4, by: 'ann@host' },
    sampling: undefined,
  })
})

test('a canary whose operator is gone ends by itself', () => {
  const follower = createFollower('n1', 'prod')
  follower.take({ key: SAMPLING_KEY, revision: 1, text: value(0.1) })
  follower.take({ key: CANARY_KEY, revision: 2, text: value(0.2, { at: 'a', below: 1, untilMs: 1000 }) })
  assert.equal(follower.wanted(999).revision, 2)
  assert.equal(follower.wanted(1000).revision, 1)
})

test('a canary without an end or a share is nobody’s', () => {
  const follower = createFollower('n1', 'prod')
  follower.take({ key: CANARY_KEY, revision: 2, text: value(0.2) })
  follower.take({ key: CANARY_KEY, revision: 3, text: value(0.2, { at: 'a', below: 1 }) })
  assert.equal(follower.wanted(0).revision, 0)
})

test('settings for the nodes of another cluster leave those before in force', () => {
  const follower = createFollower('n1', 'prod')
  follower.take({ key: SAMPLING_KEY, revision: 1, text: value(0.1, { cluster: 'prod' }) })
  follower.take({ key: SAMPLING_KEY, revision: 2, text: value(0.2, { cluster: 'other' }) })
  assert.equal(follower.wanted(0).revision, 1)
  assert.match(follower.refused()?.why ?? '', /cluster other, and this one is of prod/)
  follower.take({ key: SAMPLING_KEY, revision: 3, text: value(0.3, { cluster: 'prod' }) })
  assert.deepEqual([follower.wanted(0).revision, follower.refused()], [3, undefined])
})

test('a value that is no JSON leaves the one before in force', () => {
  const follower = createFollower('n1', 'prod')
  follower.take({ key: SAMPLING_KEY, revision: 1, text: value(0.1) })
  follower.take({ key: SAMPLING_KEY, revision: 2, text: 'warn: 1' })
  assert.deepEqual(follower.refused(), { key: SAMPLING_KEY, revision: 2, why: 'it is no JSON object' })
  assert.equal(follower.wanted(0).revision, 1)
  follower.take({ key: SAMPLING_KEY, revision: 3, text: '{"tiers":{"warn":1}}' })
  assert.equal(follower.refused(), undefined)
  assert.deepEqual(
    sectionOf(follower.wanted(0).sampling),
    { tiers: { warn: 1 } },
    'a bare section put by hand is taken',
  )
})

test('settings of any shape are read or refused, never thrown', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseSettings(text)))
})

test('a share of the nodes is that share, and at least one of them', () => {
  const nodes = Array.from({ length: 1000 }, (_, n) => `ip-10-0-${n >> 8}-${n & 255}.ec2.internal`)
  for (const percent of [0.01, 1, 5, 50, 100]) {
    const below = canaryBelow(nodes, '2026-01-01', percent)
    const chosen = nodes.filter((node) => nodeShare(node, '2026-01-01') < below).length
    assert.equal(chosen, Math.max(1, percent * 10), `${percent} %`)
  }
  assert.equal(['a', 'b'].filter((node) => nodeShare(node, 'x') < canaryBelow(['a', 'b'], 'x', 5)).length, 1)
  // A chi-square of 20 buckets stays below 43.8 in 999 of 1,000 fair draws (19 degrees of freedom).
  const buckets = Array.from({ length: 20 }, () => 0)
  for (const node of nodes) buckets[Math.floor(nodeShare(node, 's') * 20)]!++
  assert.ok(buckets.reduce((sum, seen) => sum + (seen - 50) ** 2 / 50, 0) < 43.8, buckets.join(' '))
})

test('every name has its own token, which is one token without a wildcard', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
      fc.pre(name.isWellFormed())
      const token = subjectToken(name)
      assert.match(token, /^[A-Za-z0-9_=-]+$/)
      assert.equal(nameOfToken(token), name)
    }),
  )
  assert.equal(controlSubject('a.b *>', 'drain'), 'millrace.ctl.a=2Eb=20=2A=3E.drain')
  for (const foreign of ['=all', '=sum', '=zz', 'a.b', '=2e'])
    assert.equal(nameOfToken(foreign), undefined, foreign)
})

const check = (text: string) => checkSampling(parseSection(text), {})

test('the file’s section waits behind the cluster’s, and comes back when that is removed', async () => {
  const published: number[] = []
  const section = (warn: number) => check(`tiers: { warn: ${warn} }`)
  const settings = createNodeSettings(section(0.5), ({ tiers }) => {
    published.push(tiers.warn)
    return Promise.resolve({ revision: 1, appliedMs: 0 })
  })
  await settings.fromCluster('{"tiers":{"warn":0.9}}')
  assert.equal(await settings.fromFile(section(0.6)), undefined)
  await assert.rejects(settings.fromCluster('{"tiers":{"warn":9}}'), { code: 'config.sampling' })
  assert.equal(settings.origin(), 'cluster')
  // In turn, although nobody waits.
  await Promise.all([settings.fromCluster(undefined), settings.fromFile(section(0.7))])
  assert.equal(settings.origin(), 'file')
  assert.deepEqual(published, [0.9, 0.6, 0.7])
})

test('a section is refused with the place and the way out', () => {
  const refused: [string, RegExp][] = [
    ['tiers: { warn: 2 }', /sampling\.tiers\.warn: got 2, expected a rate from 0 to 1/],
    ['tiers: { wran: 1 }', /sampling\.tiers\.wran: unknown key; did you mean warn\?/],
    ['[1]', /sampling: expected a map/],
    ['a: b: c', /sampling: line 1: not valid YAML/],
    [`services: "${'x'.repeat(200_000)}"`, /expected at most 196608/],
  ]
  for (const [text, message] of refused) assert.throws(() => check(text), message)
})

test('a difference holds both texts, line by line', () => {
  const texts = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 })
    .map((lines) => lines.join('\n'))
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const lines = lineDiff(before, after)
      if (before === after) return assert.deepEqual(lines, [])
      const side = (mark: string) =>
        lines
          .filter((line) => !line.startsWith(mark))
          .map((line) => line.slice(2))
          .join('\n')
      assert.equal(side('+'), before)
      assert.equal(side('-'), after)
    }),
  )
})
