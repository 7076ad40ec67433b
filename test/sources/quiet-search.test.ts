// A search of folders in which nothing happens finds the same objects again, and misses nothing when something does.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { type ContainerLog, containerLogSearch } from '../../actors/sources/kubernetes/find.js'
import { createFolders } from '../../actors/sources/tail/folder.js'
import { criLines, type LogFolder, logFolder, POD } from './folders.js'

/** Searches after which a file is looked at in a folder that has not changed, and searches of a quiet folder without a question. */
const AT_MOST = 10
const LIVE = `${POD}/app/0.log`

let logs: LogFolder
let nowMs: number
let find: () => ContainerLog[]

beforeEach(() => {
  logs = logFolder()
  logs.write(LIVE, criLines(0, 3))
  logs.write(`${POD}/app/0.log.20261123-090000`, criLines(10, 3))
  logs.write('shop_cart-two_0f1e2d3c-0000-4000-8000-000000000002/app/0.log', criLines(20, 3))
  nowMs = 0
  const conditions = { report: assert.fail, clear: () => undefined, count: () => 0 }
  const folders = createFolders(conditions, () => nowMs)
  const search = containerLogSearch({ root: logs.root, wantsNamespace: () => true, folders, conditions })
  find = () => {
    nowMs += 1000
    return search()
  }
})

afterEach(() => logs.remove())

function logOf(found: ContainerLog[]): ContainerLog {
  const log = found.find(({ livePath }) => livePath.endsWith(LIVE))
  assert.ok(log !== undefined)
  return log
}

function searches(count: number): ContainerLog[] {
  let found = find()
  for (let n = 1; n < count; n++) found = find()
  return found
}

test('where nothing happens a log is the same object in each search', () => {
  const settled = searches(5)
  assert.deepEqual(
    logOf(settled).files.map(({ live }) => live),
    [false, true],
  )
  for (let n = 0; n < 100; n++) {
    const found = find()
    assert.ok(found.length === 2 && found.every((log, at) => log === settled[at]))
  }
})

test('a file that grows, is rotated, or goes is seen in a quiet folder', () => {
  const before = logOf(searches(100))
  logs.append(LIVE, criLines(3, 1))
  const grown = logOf(searches(AT_MOST))
  assert.notEqual(grown, before)
  assert.equal(grown.files.at(-1)?.size, criLines(0, 4).length)
  searches(100)
  logs.rename(LIVE, `${POD}/app/0.log.20261123-100000`)
  logs.write(LIVE, criLines(4, 1))
  const rotated = logOf(searches(AT_MOST))
  assert.equal(rotated.files.length, 3)
  assert.equal(rotated.files.at(-1)?.size, criLines(4, 1).length)
  searches(100)
  logs.remove()
  assert.deepEqual(searches(AT_MOST), [])
})
