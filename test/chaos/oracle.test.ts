// The oracle itself: fed with a lost, a doubled, an alien or a changed record it must say so, and only then.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Evidence, judge, type Key, keyOf, type Stored } from './oracle.js'

const RECORDS = 50
const keys = Array.from({ length: RECORDS }, (_, n): Key => `files0:${n}`)

function stored(key: Key, rid = `frame-${key}`): Stored {
  return { rid, key, hash: 1, text: key }
}

function sound(): Evidence {
  return {
    written: new Set(keys.slice(0, 40)),
    pushed: new Set(keys.slice(40)),
    unsure: new Set(),
    spoiled: new Set(),
    corruptionTold: false,
    held: { es: keys.map((key) => stored(key)), loki: keys.map((key) => stored(key)) },
    letters: { es: [], loki: [] },
  }
}

const held = (es: readonly Stored[]): Evidence => ({ ...sound(), held: { ...sound().held, es } })
const all = () => keys.map((key) => stored(key))

test('what is complete passes', () => {
  const verdict = judge(sound())
  assert.deepEqual(verdict.violations, [])
  assert.equal(verdict.records, RECORDS)
})

test('a lost record is a violation, from a file as from a push that was answered 200', () => {
  for (const lost of [3, 45]) {
    const { violations } = judge(held(all().filter((_, n) => n !== lost)))
    assert.deepEqual(violations, [`es: lost (1): files0:${lost}`])
  }
})

test('a record under two record ids is a violation; an entry that is there twice under one is a copy', () => {
  assert.deepEqual(judge(held([...all(), stored('files0:7', 'other')])).violations, [
    'es: stored more than once (1): files0:7',
  ])
  const copied = judge(held([...all(), stored('files0:7')]))
  assert.deepEqual([copied.violations, copied.copies], [[], 1])
})

test('a record that nobody wrote is a violation, and so is one without a number', () => {
  assert.match(judge(held([...all(), stored('files0:999')])).violations.join(), /never written.*files0:999/)
  const blank = { ...stored('files0:1', 'blank'), key: undefined, text: 'garbage' }
  assert.match(judge(held([...all(), blank])).violations.join(), /never written.*garbage/)
  const buried = { ...sound(), letters: { es: [{ key: 'files0:999', reason: 'x' }], loki: [] } }
  assert.match(judge(buried).violations.join(), /never written.*dead letter files0:999/)
})

test('a dead letter stands for its record, if it has a reason', () => {
  const evidence = held(all().slice(1))
  const letters = (reason: string) => ({ es: [{ key: 'files0:0', reason }], loki: [] })
  assert.deepEqual(judge({ ...evidence, letters: letters('refused') }).violations, [])
  assert.match(judge({ ...evidence, letters: letters('') }).violations.join(), /without a reason/)
  assert.match(
    judge({ ...evidence, letters: { es: [], loki: letters('x').es } }).violations.join(),
    /es: lost/,
    'of another backend it does not',
  )
})

test('a push without an answer may be there or not, but not twice', () => {
  const evidence = { ...sound(), written: new Set(keys.slice(1, 40)), unsure: new Set(['files0:0']) }
  assert.deepEqual(judge(evidence).violations, [])
  const without = all().slice(1)
  assert.deepEqual(judge({ ...evidence, held: { es: without, loki: without } }).violations, [])
  const twice = [...all(), stored('files0:0', 'again')]
  assert.match(judge({ ...evidence, held: { es: twice, loki: without } }).violations.join(), /more than once/)
})

test('only records of spoiled frames may be missing or read again, and a node has to have told of it', () => {
  const evidence = { ...held([...all().slice(1), stored('files0:5', 'again')]), corruptionTold: true }
  assert.equal(judge(evidence).violations.length, 2)
  const excused = { ...evidence, spoiled: new Set(['files0:0', 'files0:5']) }
  const verdict = judge(excused)
  assert.deepEqual([verdict.violations, verdict.spoiledLost, verdict.spoiledTwice], [[], 1, 1])
  assert.match(judge({ ...excused, corruptionTold: false }).violations.join(), /no node said a word/)
})

test('a record that differs between the backends is a violation', () => {
  const changed = all().map((each, n) => (n === 9 ? { ...each, hash: 2 } : each))
  assert.deepEqual(judge(held(changed)).violations, [
    'not the same bytes in both backends (1): frame-files0:9',
  ])
})

test('a record is known by its number in every form it takes', () => {
  const named = (rest: string) => keyOf(`{"log_level":"INFO","namespace":"files1",${rest}}`)
  assert.equal(named('"message":"x","seq":42'), 'files1:42')
  assert.equal(named('"message":"WARN cart did a thing seq=42"'), 'files1:42')
  assert.equal(named('"message":"{\\"a\\":1,\\"seq\\":42"'), 'files1:42')
  assert.equal(named('"raw":"{\\"message\\":\\"{\\\\\\"seq\\\\\\":42\\"}"'), 'files1:42')
  assert.equal(named('"message":"nothing"'), undefined)
})
