package elector

// What the programs below say most: eight honest steps, and as many as it takes to lead.
const (
	calm  = "\x12"
	leads = calm + calm + calm + calm + calm + calm + calm + calm
)

// programs are ways worth starting from: the first byte says what candidate, then come deeds (see [ordeal.deed]).
var programs = []string{
	"\x00" + leads,
	"\x00" + leads + "\x0f\x01" + calm + "\x10\x00" + leads,                                                 // asked to hand over
	"\x00" + leads + "\x0f\x02\x10\x01\x02\x10\x00" + calm,                                                  // ended; an old drain's answer comes first
	"\x04" + leads + "\x0f\x04\x01\x10\x00\x02\x03\x02" + leads,                                             // unhealthy; the release's answer is lost
	"\x00" + leads + "\x0f\x01\x01\x01\x10\x00\x02" + leads,                                                 // stopped while a request is under way
	"\x00" + leads + "\x01\x01\x01\x06\x06\x05\x01\x00\x09",                                                 // a forged answer
	"\x00" + leads + "\x0c\x06\x05\x01\x00\x01\x0c\x06\x06\x00\x01\x01" + leads,                             // forged events: usurped, then given back
	"\x00" + leads + "\x0a\x0b\x00" + leads,                                                                 // deleted
	"\x00" + leads + "\x0d\x05" + leads,                                                                     // restored
	"\x00" + leads + "\x01\x01\x01\x07\x00\x06\x08" + leads,                                                 // a renewal that lands late
	"\x00" + leads + "\x00\x0d\x0b\x00\x02\x02",                                                             // overslept
	"\x00\x09\x12\x01\x02\x02\x01" + leads + leads,                                                          // a foreign holder for an hour
	"\x00\x09\x02\x01\x02" + leads + leads + leads,                                                          // a foreign holder for the usual time
	"\x00\x09\x0a\x01\x01\x01\x02\x00\x07\x09\x02\x01\x03\x0b\x00" + leads + leads + leads,                  // a peer of 60 s, blanked by hand
	"\x00" + leads + "\x0f\x01\x10\x00\x02\x02\x0c\x06\x05\x00\x00\x01" + calm,                              // a renewal put back after the release
	"\x00" + leads + "\x0f\x01\x00\x08\x05\x04\x10\x00\x02\x02" + calm,                                      // stopped while a read is under way
	"\x00" + leads + "\x0f\x01\x0f\x03" + leads,                                                             // abandoned
	"\x00" + leads + "\x0e\x00\x0e\x02" + calm + "\x0e\x00\x0e\x03" + leads,                                 // a watch that breaks
	"\x00" + leads + "\x09\xc1\x01\x01\x01\x0b\x00\x10\x00" + leads,                                         // another one is wished for
	"\x00" + leads + "\x09\x81\x01\x02\x0b\x00",                                                             // another workload's
	"\x01\x02\x02\x02\x0f\x01\x10\x00\x02\x02",                                                              // resumed, then handed over
	"\x01\x02\x0f\x02\x02\x02\x02",                                                                          // resumed, and ended before the answer
	"\x01\x02\x0f\x04\x02\x02\x02",                                                                          // resumed, and found unhealthy before the answer
	"\x00" + leads + "\x11\x09\x02\x02\x01\x02" + leads,                                                     // the wall clock jumps
	"\x00" + leads + "\x0f\x01\x10\x00\x02\x02\x09\x0f\x01\x03\x00\x03\x0f\x02\x0b\x00\x01\x02\x02" + calm,  // an old release put back
	"\x00" + leads + "\x13\x0f\x01\x10\x00\x02\x02" + calm + "\x13" + leads,                                 // a step-down, and no room for the hold
	"\x00" + leads + "\x01\x01\x0f\x01\x00\x0c\x02\x10\x00\x02\x02" + leads,                                 // a step-down; the answer comes after the end
	"\x00" + leads + "\x0f\x01\x01\x01\x0f\x03\x02" + leads + leads,                                         // abandoned with a renewal under way
	"\x01\x0f\x01\x02\x02\x10\x00\x02\x02" + leads,                                                          // asked to hand over while resuming
	"\x00" + leads + "\x09\x06\x00\x40\x0b\x00\x02\x02\x09\x06\x00\x41\x0b\x00\x02" + leads + leads + leads, // a twin
}
