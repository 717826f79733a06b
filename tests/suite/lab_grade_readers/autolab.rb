# Reads the output of an autograder on standard input by Autolab's rules, and prints the scores as JSON.
#
# The rules are those of saveAutograde and parseAutoresult in app/helpers/assessment_autograde_core.rb of Autolab
# (github.com/autolab/Autolab, commit 9cc857f): the last line is JSON whose keys may have no quotes, and "scores" in it
# must have at least one score.

require "json"

feedback = $stdin.read.force_encoding("UTF-8")
abort "not UTF-8" unless feedback.valid_encoding?
autoresult = feedback.rstrip.lines.last || abort("no output")
quoted = autoresult.gsub(/[a-zA-Z0-9]+(?=:)/) { |key| "\"#{key}\"" }
scores = JSON.parse(quoted)["scores"]
abort "no scores: #{autoresult}" if scores.nil? || scores.keys.empty?
puts JSON.generate(scores)
