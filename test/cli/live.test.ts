// Guards tap and top against a real server: output, limits, Ctrl-C, and a node that is not there or goes away.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { startNodeServer } from '../http/node-server.js'
import { makeWorkspace } from './millrace.js'

const { folder, run, remove } = makeWorkspace()
after(remove)
const RECORD =
  '{"timestamp":"2026-11-23T10:00:00Z","log_level":"WARN","service_name":"cart","pod_uid":"u","message":"slow\\u001b[31m\\nreply","ms":250}'

test('tap prints records for people or as JSON, and ends at its limit', async (context) => {
  const node = await startNodeServer({ tap: (_filter, _rate, onLines) => onLines(`${RECORD}\n`.repeat(5)) })
  context.after(() => node.close())
  const [text, json] = await Promise.all([
    run(['tap', '--address', node.address, '--limit', '2']),
    run(['tap', '--address', node.address, '-n', '1', '--json', '-f', 'level>=WARN']),
  ])
  const line = '2026-11-23T10:00:00Z  WARN   cart  slow\ufffd[31m\\nreply  ms=250\n'
  assert.deepEqual([text.code, text.stdout, text.stderr], [0, line.repeat(2), ''])
  assert.deepEqual([json.code, json.stdout], [0, `${RECORD}\n`])
})

test('the address comes from the configuration', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const text = `sources: { a: { type: stdin } }\nbackends: { b: { type: archive, path: x } }\nhttp: { listen: ${node.address} }\n`
  writeFileSync(path.join(folder, 'm.yaml'), text)
  const { code, stdout } = await run(['top', '--once', '--json', '-c', 'm.yaml'])
  assert.equal(code, 0)
  assert.equal((JSON.parse(stdout) as { node: string }).node, 'n1')
})

test('a mistake in the file since the node started keeps nobody from it, and is told', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const text = (more: string, listen: string) =>
    `sources: { a: { type: stdin } }\nbackends: { b: { type: archive, path: x } }\nhttp: { listen: ${listen} }\n${more}\n`
  const mistakes = [
    'jurnal: {}',
    'report: { curency: EUR }',
    'sampling: { tiers: { warn: ${UNSET_RATE} } }',
    '}',
  ]
  for (const mistake of mistakes) {
    writeFileSync(path.join(folder, 'bad.yaml'), text(mistake, node.address))
    const { code, stdout, stderr } = await run(['top', '--once', '--json', '-c', 'bad.yaml'])
    assert.equal(code, 0, `${mistake}: ${stderr}`)
    assert.equal((JSON.parse(stdout) as { node: string }).node, 'n1')
    assert.match(stderr, /^millrace: warning: the configuration has a mistake, .*bad\.yaml:4:/)
  }
  writeFileSync(path.join(folder, 'bad.yaml'), text('', '${NO_ADDRESS}'))
  const unknown = await run(['top', '--once', '-c', 'bad.yaml'])
  assert.deepEqual([unknown.code, unknown.stdout], [2, ''])
  const [status, listed] = await Promise.all([
    run(['ctl', 'status', '-c', 'bad.yaml']),
    run(['ctl', 'nodes', '-c', 'bad.yaml']),
  ])
  assert.match(status.stderr, /warning: .*\nmillrace: no node answers on .*data\/control\.sock/)
  assert.match(listed.stderr, /has no section nats/)
})

test('Ctrl-C ends tap and top cleanly', async (context) => {
  const node = await startNodeServer({ tap: (_filter, _rate, onLines) => onLines(`${RECORD}\n`) })
  context.after(() => node.close())
  const interrupted = (args: string[]) =>
    run([...args, '--address', node.address], (child) =>
      child.stdout?.once('data', () => child.kill('SIGINT')),
    )
  const outcomes = await Promise.all([interrupted(['tap']), interrupted(['top'])])
  for (const { code, stderr } of outcomes) assert.deepEqual([code, stderr], [0, ''])
})

test('no node, another server, or a node that goes away is one clear line and exit code 1', async () => {
  const node = await startNodeServer({
    tap: (_filter, _rate, onLines) => {
      onLines(`${RECORD}\n`)
      setImmediate(() => void node.close())
    },
  })
  const gone = await run(['tap', '--address', node.address])
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /^millrace: the node on 127\.0\.0\.1:\d+ ended the tap after [01] records\n$/)
  const [tap, top] = await Promise.all([
    run(['tap', '--address', node.address]),
    run(['top', '--address', node.address]),
  ])
  for (const { code, stderr } of [tap, top]) {
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^millrace: no node answers on 127\.0\.0\.1:\d+ \(ECONNREFUSED\); start one with `millrace run`, or name its http\.listen with --address\n$/,
    )
  }
})

test('top draws one picture with --once', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const { code, stdout } = await run(['top', '--once', '--address', node.address])
  assert.equal(code, 0)
  assert.match(stdout, /^millrace 0\.1\.0 {3}n1 {3}ready/)
  assert.match(stdout, /^es /m)
})
