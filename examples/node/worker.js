#!/usr/bin/env node
// A worker that works only while its replica leads. Nothing but Node itself, 18 or newer.
//
//   SIGNAL_DIR=/var/run/lease-sidecar ./worker.js     asks the files
//   ./worker.js                                       asks over HTTP, at SIDECAR_URL
//
// It fails closed: whatever is missing, half, stale, of another boot or refused means "not leader".
'use strict'
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

const dir = process.env.SIGNAL_DIR || ''
const url = process.env.SIDECAR_URL || 'http://127.0.0.1:4040'
const interval = 1000 * Number(process.env.INTERVAL || 1) // milliseconds between looks while standing by
const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

process.on('SIGTERM', () => process.exit(0)) // as pid 1 Node would not die of it

// document returns what the sidecar says now.
async function document() {
  if (dir) {
    // The leader file's time is validUntil by the wall clock. It guards against an uptime that is not the boot
    // clock's (lxcfs); the exact deadline is in the document.
    if (fs.statSync(path.join(dir, 'leader')).mtimeMs <= Date.now()) throw new Error('the leader file is stale')
    return fs.readFileSync(path.join(dir, 'state.json'), 'utf8')
  }
  const answer = await fetch(`${url}/leader`, { signal: AbortSignal.timeout(1000) })
  if (answer.status !== 200) throw new Error(`the sidecar answers ${answer.status}`)
  return answer.text()
}

// uptime returns the boot clock in hundredths of a second, rounded down.
function uptime() {
  return BigInt(fs.readFileSync('/proc/uptime', 'utf8').split(' ')[0].replace('.', ''))
}

// term returns the token of the term that runs now, or ''.
async function term() {
  try {
    const said = JSON.parse(await document())
    // Both sides are cut to hundredths, so the deadline must be a whole step ahead. The clock is read last.
    const leads = said.isLeader === true && said.bootID === boot &&
      uptime() < BigInt(said.validUntilBoottimeNs) / 10_000_000n
    return leads && said.token ? said.token : ''
  } catch {
    return '' // whatever it is, nothing is known: that is no term
  }
}

// hold keeps an answer of the sidecar's open, by which that sees this worker at work, and its end, however it ends: Node
// cannot lock a file. It returns what ends it.
function hold() {
  return new Promise((resolve) => {
    const request = http.get(`${url}/running`, { agent: false }, (answer) => {
      answer.on('error', () => {}).resume()
      resolve(() => { request.destroy() })
    })
    request.on('error', () => resolve(() => {})) // then the sidecar relies on the reports
  })
}

// drained reports to the sidecar that the work has stopped, so that another replica may start at once.
async function drained() {
  try {
    await (await fetch(`${url}/drained`, { method: 'POST', signal: AbortSignal.timeout(1000) })).text()
  } catch {
    // a dead sidecar's term expires by itself
  }
}

// news ends the pause between looks. Events only hasten: without them the loop looks by itself.
let news = () => {}
const pause = (ms) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms)
  news = () => { clearTimeout(timer); resolve() }
})

// follow calls for a look at each event: of the directory, since a watch on a file dies as it is replaced, or over HTTP.
async function follow() {
  try {
    if (dir) {
      fs.watch(dir, () => news()).on('error', () => {})
      return
    }
    for await (const _ of (await fetch(`${url}/events`)).body) news()
  } catch {
    // no events, then
  }
  setTimeout(follow, 1000)
}

// work is one short piece: it ends well within the gap between renew deadline and lease duration. Whatever it writes
// to should refuse a token lower than one it has seen.
async function work(token, unit) {
  console.log(`working token=${token} unit=${unit}`)
  await new Promise((resolve) => setTimeout(resolve, 200))
}

async function main() {
  follow()
  let printed = 'unknown'
  let unit = 0
  let letGo
  for (;;) {
    const token = await term()
    if (token !== printed) {
      if (token) letGo ??= await hold()
      else if (letGo) letGo = letGo() // undefined
      console.log(token ? `leading token=${token}` : 'standing by')
      if (!token) await drained()
      printed = token // and look again before any work: the term may have ended during the wait for the answer
    } else if (token) await work(token, ++unit)
    else await pause(interval)
  }
}

main()
