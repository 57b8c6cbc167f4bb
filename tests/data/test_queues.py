"""Queue runners end with the first cause, and a queue nobody feeds ends the wait."""

import threading

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.data import queues


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("QueueRunnerThread")]


@pytest.fixture
def sess():
    with v1.Graph().as_default(), v1.Session() as sess:
        yield sess


def write(path, count):
    with v1.python_io.TFRecordWriter(str(path)) as writer:
        for i in range(count):
            writer.write(b"%d" % i)
    return str(path)


def records(paths, num_epochs=1, batch_size=2):
    files = v1.train.string_input_producer(paths, num_epochs=num_epochs, shuffle=False)
    _, record = v1.TFRecordReader().read(files)
    return v1.train.batch([record], batch_size)


def drain(sess, fetch, **options):
    got = []
    with queues.running(sess, **options) as runners:
        while True:
            got.append(runners.run(fetch))
    return got


def test_the_end_of_the_data_ends_the_body(sess, tmp_path):
    batch = records([write(tmp_path / "a", 6)])
    sess.run(v1.local_variables_initializer())
    assert np.concatenate(drain(sess, batch)).tolist() == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_a_missing_file_is_not_found_with_its_name(sess, tmp_path):
    batch = records([write(tmp_path / "a", 4), str(tmp_path / "missing.tfrecord")])
    sess.run(v1.local_variables_initializer())
    with pytest.raises(v1.errors.NotFoundError, match="missing.tfrecord"):
        drain(sess, batch)


def test_without_the_helper_the_missing_file_is_out_of_range(sess, tmp_path):
    # What the helper is for: this is all that a plain consumer sees.
    batch = records([str(tmp_path / "missing.tfrecord")])
    sess.run(v1.local_variables_initializer())
    coord = v1.train.Coordinator()
    threads = v1.train.start_queue_runners(sess, coord)
    with pytest.raises(v1.errors.OutOfRangeError):
        sess.run(batch)
    with pytest.raises(v1.errors.NotFoundError):
        coord.join(threads)


def test_a_corrupt_record_is_data_loss(sess, tmp_path):
    path = tmp_path / "a"
    write(path, 4)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1  # the last record's only byte
    path.write_bytes(content)
    batch = records([str(path)])
    sess.run(v1.local_variables_initializer())
    with pytest.raises(v1.errors.DataLossError, match="corrupted record"):
        drain(sess, batch)


def test_a_forgotten_local_initializer_is_named(sess, tmp_path):
    batch = records([write(tmp_path / "a", 4)])
    with pytest.raises(v1.errors.NotFoundError, match="limit_epochs"):
        drain(sess, batch)


def test_the_bodys_own_error_comes_out_and_the_threads_stop(sess, tmp_path):
    batch = records([write(tmp_path / "a", 4)], num_epochs=None)
    with pytest.raises(ZeroDivisionError), queues.running(sess) as runners:
        runners.run(batch)
        raise ZeroDivisionError
    assert runners.coord.should_stop()


def test_an_error_of_the_body_after_a_runners_does_not_hide_it(sess, tmp_path):
    batch = records([str(tmp_path / "missing.tfrecord")])
    sess.run(v1.local_variables_initializer())
    with pytest.raises(v1.errors.NotFoundError), queues.running(sess) as runners:
        assert runners.coord.wait_for_stop(30)
        runners.run(batch[:, 0])


def test_an_error_of_the_body_after_its_own_stop_is_not_lost(sess, tmp_path):
    records([write(tmp_path / "a", 4)], num_epochs=None)
    with pytest.raises(ZeroDivisionError), queues.running(sess) as runners:
        runners.coord.request_stop()
        raise ZeroDivisionError


def test_ctrl_c_is_not_swallowed(sess, tmp_path):
    records([write(tmp_path / "a", 4)], num_epochs=None)
    with pytest.raises(KeyboardInterrupt), queues.running(sess):
        raise KeyboardInterrupt


def test_leaving_early_stops_an_endless_pipeline(sess, tmp_path):
    batch = records([write(tmp_path / "a", 3)], num_epochs=None)
    with queues.running(sess) as runners:
        assert runners.run(batch).tolist() == [b"0", b"1"]
    assert runners.threads and not any(t.is_alive() for t in runners.threads)


def test_a_queue_nobody_feeds_is_named_after_a_bounded_wait(sess):
    fed = v1.FIFOQueue(2, v1.int32, shapes=[[]], name="fed")
    v1.train.add_queue_runner(v1.train.QueueRunner(fed, [fed.enqueue(1)]))
    hungry = v1.FIFOQueue(2, v1.int32, shapes=[[]], name="hungry")
    both = fed.dequeue() + hungry.dequeue()
    with pytest.raises(v1.errors.DeadlineExceededError, match="0.3 s: no queue runner feeds 'hungry': add one"):
        drain(sess, {"both": [both]}, wait_seconds=0.3)


def test_a_queue_nobody_feeds_behind_one_that_is_fed_is_named(sess):
    hungry = v1.FIFOQueue(2, v1.int32, shapes=[[]], name="hungry")
    batch = v1.train.batch([hungry.dequeue()], 2, name="batch")
    with pytest.raises(v1.errors.DeadlineExceededError, match="no queue runner feeds 'hungry':"):
        drain(sess, batch, wait_seconds=0.3)


def test_files_without_records_end_the_wait_too(sess, tmp_path):
    # An endless round over empty files: no error ever comes, and no record either.
    (tmp_path / "a").touch()
    batch = records([str(tmp_path / "a")], num_epochs=None)
    with pytest.raises(v1.errors.DeadlineExceededError, match="are the files empty"):
        drain(sess, batch, wait_seconds=0.3)


@pytest.mark.slow
def test_a_full_queue_is_not_an_error(sess, tmp_path):
    # The wait bounds the consumer's runs alone: a runner may wait for a slow consumer as long as it likes.
    batch = records([write(tmp_path / "a", 4)], num_epochs=None)
    with queues.running(sess, wait_seconds=0.3) as runners:
        sess.run(batch)  # without a bound of its own
        assert not runners.coord.wait_for_stop(1.0)
        assert len(sess.run(batch)) == 2


def test_a_graph_without_queues_just_runs(sess):
    with queues.running(sess) as runners:
        assert runners.run(v1.constant(3)) == 3
    assert runners.threads == []
