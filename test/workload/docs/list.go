package docs

// Pages are the pages with commands that run.
var Pages = []Page{
	{Path: "docs/tutorial/first-election.md", Place: Machine, Tree: true, Built: true},
	{Path: "docs/how-to/signal-a-process.md", Place: Machine},
}

// Elsewhere are the commands that another test runs, or that nothing here can run.
var Elsewhere = []Exception{}
