// Guards the command line: exit codes, one-line errors, and files that are not overwritten.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { makeWorkspace } from './millrace.js'

const { folder, run, remove } = makeWorkspace()
after(remove)
const write = (name: string, text: string) => writeFileSync(path.join(folder, name), text)

test('bad usage is one line on stderr and exit code 2, never a stack', async () => {
  const cases: readonly [string[], RegExp][] = [
    [
      ['valdate'],
      /^millrace: unknown command 'valdate' \(Did you mean validate\?\); see `millrace --help`\n$/,
    ],
    [['validate', '--nope'], /^millrace: unknown option '--nope'; see `millrace validate --help`\n$/],
    [['init', '--for', 'tape'], /^millrace: .*Allowed choices are kubernetes, file, http/],
    [['tap', '--limit', '0'], /^millrace: .*expected a whole number over 0/],
    [['tap', '--filter', 'level>=LOUD'], /^millrace: filter: column 8: "LOUD" is no level/],
    [['ctl', 'status', '--timeout', '30d'], /^millrace: --timeout: got 30d, expected at most 24d/],
    [['top', '--address', 'nowhere'], /^millrace: --address: got "nowhere", expected host:port/],
    [
      ['validate'],
      /^millrace: millrace\.yaml: does not exist; name another with -c, or write one with `millrace init`\n$/,
    ],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => run(args)))
  outcomes.forEach(({ code, stderr, stdout }, n) => {
    const [args, message] = cases[n] as [string[], RegExp]
    assert.match(stderr, message, args.join(' '))
    assert.deepEqual([code, stdout, stderr.split('\n').length], [2, '', 2], args.join(' '))
  })
})

test('help and version exit 0, no command at all exits 2', async () => {
  const [version, help, sub, none] = await Promise.all([
    run(['--version']),
    run(['--help']),
    run(['help', 'validate']),
    run([]),
  ])
  const stated = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  assert.deepEqual([version.code, version.stdout], [0, `${stated.version}\n`])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /validate\s+check a configuration/)
  assert.match(sub.stdout, /--effective/)
  assert.deepEqual([none.code, none.stdout], [2, ''])
})

test('validate tells every problem and exits 2, a valid file 0 with its warnings', async () => {
  write('bad.yaml', 'sources: { a: { type: stdin, x: 1 } }\nbackends: { b: { type: loki } }\n')
  write(
    'good.yaml',
    'sources: { a: { type: stdin } }\nbackends: { b: { type: archive, path: x } }\naudit: {}\nnats: { servers: [nats://x] }\nbuffer: { mode: jetstream }\n',
  )
  const [bad, json, good, effective] = await Promise.all([
    run(['validate', '-c', 'bad.yaml']),
    run(['validate', '-c', 'bad.yaml', '--json']),
    run(['validate', '-c', 'good.yaml']),
    run(['validate', '-c', 'good.yaml', '--effective']),
  ])
  assert.match(
    bad.stderr,
    /^millrace: bad\.yaml:1:30: sources\.a\.x: unknown key.*\nmillrace: bad\.yaml:2:13: backends\.b\.url: missing.*\n$/,
  )
  assert.deepEqual([bad.code, json.code, good.code], [2, 2, 0])
  const told = JSON.parse(json.stdout) as { valid: boolean; problems: string[] }
  assert.deepEqual([told.valid, told.problems.length], [false, 2])
  assert.equal(good.stdout, 'good.yaml is valid: sources a; backends b\n')
  assert.equal(good.stderr, '')
  assert.match(effective.stdout, /segment_bytes: 64MiB/)
})

test('init writes a file that validates, and never over another', async () => {
  const kinds = ['kubernetes', 'file', 'http'].map(async (kind) => {
    assert.equal((await run(['init', '--for', kind, '-c', `${kind}.yaml`])).code, 0)
    assert.equal((await run(['validate', '-c', `${kind}.yaml`])).code, 0, kind)
  })
  await Promise.all(kinds)
  write('mine.yaml', 'precious')
  const refused = await run(['init', '-c', 'mine.yaml'])
  assert.deepEqual([refused.code, refused.stderr], [2, 'millrace: mine.yaml exists; --force replaces it\n'])
  assert.equal(readFileSync(path.join(folder, 'mine.yaml'), 'utf8'), 'precious')
  assert.equal((await run(['init', '-c', 'mine.yaml', '--force'])).code, 0)
})

test('--debug shows where an error comes from', async () => {
  const { stderr } = await run(['validate', '--debug'])
  assert.match(stderr, /MillraceError: .*\n\s+at /)
})

test('a pipe that closes early ends the command quietly', async () => {
  const { code, stderr } = await run(['validate', '--schema'], (child) => child.stdout?.destroy())
  assert.deepEqual([code, stderr], [0, ''])
})

test('an id that begins with a dash is an id, not an option', async () => {
  write(
    'ids.yaml',
    'sources: { a: { type: stdin } }\nbackends: { b: { type: loki, url: "http://127.0.0.1:9" } }\n',
  )
  const [letter, frame, option] = await Promise.all([
    run(['dlq', 'show', '-Vcdefghijklmnopqrstu-0', '-c', 'ids.yaml']),
    run(['audit', 'frame', '-c', 'ids.yaml', '--cdefghij_lmnopqrstu']),
    run(['dlq', 'show', '--nope', '-c', 'ids.yaml']),
  ])
  assert.deepEqual([letter.code, letter.stdout], [1, ''])
  assert.match(letter.stderr, /no letter -Vcdefghijklmnopqrstu-0/)
  assert.match(frame.stderr, /frame --cdefghij_lmnopqrstu is neither/)
  assert.match(option.stderr, /unknown option '--nope'/)
})
